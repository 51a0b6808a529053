import Glibc
import Linux
import Testing

@testable import GitReceiver

/// The evil packs before git's `index-pack --strict` and ours: what git refuses we refuse, what it accepts we accept
/// with the same ids.
@Suite("Evil packs, git beside us")
struct EvilPackTests {
  /// Set in the child that ``cost()`` starts: the same test, which measures there.
  static let childVariable = "PAAS_TEST_EVIL_PACKS"

  static func judge() throws -> GitJudge {
    let judge = try GitJudge()
    for (kind, data) in EvilPack.stored {
      try GitJudge.run(
        ["--git-dir", judge.git, "hash-object", "-w", "--stdin", "-t", kind.name], in: judge.directory.path, input: data
      )
    }
    return judge
  }

  @Test("every evil pack is judged as git judges it")
  func verdicts() async throws {
    let differences = try await blocking {
      let judge = try Self.judge()
      let packs = try EvilPack.all()
      #expect(packs.count > 100)
      #expect(Set(packs.map(\.name)).count == packs.count)
      var accepted = 0
      let differences = try packs.compactMap { pack -> String? in
        let ours = try judge.ours(pack.bytes)
        if let reason = pack.stricter {
          return ours.isAccepted ? "\(pack.name): accepted, but for \(reason) it must not be" : nil
        }
        let theirs = try judge.theirs(pack.bytes)
        if theirs.isAccepted { accepted += 1 }
        let same = theirs.isAccepted == ours.isAccepted && (!theirs.isAccepted || theirs == ours)
        return same ? nil : "\(pack.name)\n  git: \(theirs)\n  ours: \(ours)"
      }
      #expect(accepted > 20 && accepted < packs.count - 60)
      return differences
    }
    for difference in differences { Issue.record(Comment(rawValue: difference)) }
  }

  @Test("the trees, commits and tags that git shows of an accepted pack are those that we have indexed")
  func index() async throws {
    try await blocking {
      let judge = try Self.judge()
      let pack = try #require(
        try EvilPack.references().first { $0.name == "2,000 deltas on one base of the repository" })
      let directory = try judge.directory.directory("indexed")
      let indexer = PackIndexer { try Repository.open(judge.git).object($0) }
      _ = try indexer.index(ClientInput(MemoryTransport(pack.bytes)), into: directory)
      let index = try Files.read(try only(".idx", in: directory), limit: 1 << 20)
      let shown = try GitJudge.run(["show-index"], in: judge.directory.path, input: index)
      let listed = String(decoding: shown, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ")[1] }
      guard case .accepted(let ids) = try judge.theirs(pack.bytes) else {
        Issue.record("git refuses it")
        return
      }
      #expect(listed.sorted() == ids.map { "\($0)"[...] }.sorted())
      try GitJudge.run(["verify-pack", try only(".idx", in: directory)], in: judge.directory.path)
    }
  }

  @Test("bytes behind the pack are left to whoever reads on")
  func junk() throws {
    let judge = try Self.judge()
    let pack = try EvilPack.make("", count: 1) { try $0.object(3, EvilPack.hello) }
    let input = ClientInput(MemoryTransport(pack.bytes + Array("junk".utf8)))
    _ = try PackIndexer().index(input, into: try judge.directory.directory("junk"))
    #expect(try input.bytes(4) == Array("junk".utf8))
  }

  @Test("no evil pack costs 5 seconds of processor time or 200 MB")
  func cost() async throws {
    if getenv(Self.childVariable) != nil { return try await measure() }
    // A process of its own: in this one other tests run beside.
    var environment = RealGit.environment
    for name in ["LD_LIBRARY_PATH", "TMPDIR"] { environment[name] = getenv(name).map { String(cString: $0) } }
    environment[Self.childVariable] = "1"
    var arguments = CommandLine.arguments.dropFirst().map { $0 }
    if let filter = arguments.firstIndex(of: "--filter"), filter + 1 < arguments.count {
      arguments.removeSubrange(filter...(filter + 1))
    }
    let output = try TemporaryDirectory()
    let log = try checked("open log") { open("\(output.path)/log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) }
    var request = ChildRequest(
      path: "/proc/self/exe", arguments: arguments + ["--filter", "GitReceiverTests.EvilPackTests/cost"],
      environment: environment)
    request.descriptors = [1: log, 2: log]
    let child = try Child.spawn(request)
    close(log)
    let status = await child.exitStatus()
    let text = try Files.text("\(output.path)/log")
    #expect(status == 0, Comment(rawValue: text))
    #expect(text.contains("evil packs measured"), Comment(rawValue: text))
  }

  /// What each costs in this process.
  private func measure() async throws {
    try await blocking {
      let judge = try Self.judge()
      let packs = try EvilPack.all()
      for pack in packs {
        // Writing 5 resets the peak (proc(5)).
        try Array("5".utf8).withUnsafeBytes { byte in
          let file = try checked("open clear_refs") { open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC) }
          defer { close(file) }
          try checked("write clear_refs") { write(file, byte.baseAddress, 1) }
        }
        let before = (processorSeconds(), try memory("VmHWM:"))
        _ = try judge.ours(pack.bytes)
        let seconds = processorSeconds() - before.0
        let peak = try memory("VmHWM:") - before.1
        if seconds > 0.5 { print("\(pack.name): \(seconds) s") }
        #expect(seconds < 5, "\(pack.name)")
        #expect(peak < 200 << 10, "\(pack.name)")
      }
      print("\(packs.count) evil packs measured")
    }
  }

  private func processorSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let (user, system) = (usage.ru_utime, usage.ru_stime)
    return Double(user.tv_sec + system.tv_sec) + Double(user.tv_usec + system.tv_usec) / 1e6
  }

  /// KiB.
  private func memory(_ name: String) throws -> Int {
    let lines = String(decoding: try Files.read("/proc/self/status", limit: 1 << 16), as: UTF8.self).split(
      separator: "\n")
    let line = try #require(lines.first { $0.hasPrefix(name) })
    return try #require(Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]))
  }
}
