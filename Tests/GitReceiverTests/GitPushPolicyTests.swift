import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Testing
import Wire

@testable import GitReceiver

@Suite("What the platform adds to a push")
struct GitPushPolicyTests {
  @Test("a forced push is logged with where the branch was; one that moves on is not")
  func forced() async throws {
    let bench = try await PushBench()
    #expect(try await bench.push("main~1:refs/heads/main").client.status == 0)
    #expect(try await bench.push("main").client.status == 0)
    #expect(!bench.log.text.contains { $0.hasPrefix("deploy branch forced") })
    let old = try await bench.git("rev-parse", "main").line
    try await bench.git("reset", "-q", "--hard", "main~2")
    let new = try await bench.git.commit("another way")
    #expect(try await bench.push("--force", "main").client.status == 0)
    let line = try #require(bench.log.text.first { $0.hasPrefix("deploy branch forced") })
    #expect(line.contains(" app=hello new=\(new) old=\(old) push="))
  }

  @Test("the refs of a repository are read once, not once for each that is pushed")
  func manyRefs() async throws {
    let bench = try await PushBench(history: 1)
    let tip = try await bench.git("rev-parse", "main").line
    _ = try bench.repositories.open(app: bench.server.app.id, create: true)
    let packed = (10_000..<15_000).map { "\(tip) refs/tags/t\($0)\n" }.joined()
    try Files.writeDurably(packed.utf8, to: "\(bench.bare.directory)/packed-refs")
    var request = ReceivePack()
    for number in 0..<300 {
      let capabilities = number == 0 ? "\0report-status" : ""
      _ = try request.receive(.data(Array("\(ObjectID([])) \(tip) refs/tags/n\(number)\(capabilities)".utf8)))
    }
    _ = try request.receive(.flush)
    let session = PushSession(
      transport: MemoryTransport([]), app: bench.server.app.name, token: "t", server: bench.server,
      repositories: bench.repositories, logger: Logger(label: "test") { _ in bench.log })
    let grant = try bench.server.grant(app: bench.server.app.name, access: .push, token: "t")
    // Bytes that this thread has read.
    func bytesRead() throws -> Int {
      let line = try Files.text("/proc/thread-self/io").split(separator: "\n").first { $0.hasPrefix("rchar: ") }
      return try #require(line.flatMap { Int($0.dropFirst(7)) })
    }
    func decided() throws -> (kept: Int, read: Int) {
      let before = try bytesRead()
      let plan = try session.decide(request, grant)
      return (plan.kept.count, try bytesRead() - before)
    }
    let (kept, read) = try decided()
    #expect(kept == 300)
    #expect(read < 3 * packed.utf8.count, "\(read)")
  }

  @Test("the person who pushes is told what the build will miss")
  func missing() async throws {
    let bench = try await PushBench()
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    try bench.git.write("photo.jpg", pointer)
    let commit = try await bench.git.commit("a photo")
    try await bench.git("update-index", "--add", "--cacheinfo", "160000,\(commit),vendor")
    try await bench.git("commit", "-q", "-m", "a module")
    let outcome = try await bench.push("main")
    #expect(outcome.client.errors.contains("submodules are not fetched; empty in the build: 'vendor'"))
    #expect(outcome.client.errors.contains("1 file is in Git LFS; the build sees pointers instead: 'photo.jpg'"))
    #expect(outcome.client.status == 0)
  }

  @Test("hooks in a platform's repository never run, wherever they are")
  func noHooks() async throws {
    let bench = try await PushBench()
    #expect(try await bench.push("main~1:refs/heads/main").client.status == 0)
    let elsewhere = try bench.directory.directory("elsewhere")
    let mark = "\(bench.directory.path)/ran"
    for place in ["\(bench.bare.directory)/hooks", elsewhere] {
      try Files.makeDirectory(place)
      for name in ["pre-receive", "update", "post-receive", "post-update", "reference-transaction"] {
        try Files.writeDurably("#!/bin/sh\ntouch '\(mark)'\nexit 1\n".utf8, to: "\(place)/\(name)", mode: 0o755)
      }
    }
    #expect(try await bench.push("main").client.status == 0)
    try await bench.bare("config", "core.hooksPath", elsewhere)
    try await bench.git.commit("more")
    #expect(try await bench.push("main", "HEAD:refs/tags/v1").client.status == 0)
    #expect(!Files.exists(mark))
  }

  @Test("push options are taken, and nobody reads them")
  func options() async throws {
    let bench = try await PushBench()
    let outcome = try await bench.push("-o", "ci.skip", "-o", "a=b", "main")
    #expect(outcome.client.status == 0, "\(outcome.client.errors)")
    #expect(try await bench.bare("rev-parse", "main").line == bench.git("rev-parse", "main").line)
  }

  @Test("with --atomic a ref that cannot be locked refuses the push before anything is built")
  func lockedBefore() async throws {
    let bench = try await PushBench()
    #expect(try await bench.push("main~1:refs/heads/main").client.status == 0)
    bench.server.state.withLock { $0.builds = [] }
    try Files.makeDirectory("\(bench.bare.directory)/refs/tags")
    try Files.writeDurably([], to: "\(bench.bare.directory)/refs/tags/v1.lock")
    let outcome = try await bench.push("--atomic", "main", "HEAD:refs/tags/v1")
    #expect(outcome.client.errors.contains("v1 (somebody else is pushing this ref; try again in a moment)"))
    #expect(outcome.client.errors.contains("main -> main (atomic push failed)"))
    #expect(bench.server.state.withLock { $0.builds.isEmpty })
    #expect(try bench.quarantines.isEmpty)
    unlink("\(bench.bare.directory)/refs/tags/v1.lock")
    #expect(try await bench.push("--atomic", "main", "HEAD:refs/tags/v1").client.status == 0)
  }

  @Test("with --atomic nobody moves the other refs while the build runs, and they move with it")
  func lockedMeanwhile() async throws {
    let bench = try await PushBench()
    #expect(try await bench.push("main~1:refs/heads/main").client.status == 0)
    let other = try #require(ObjectID(Array(try await bench.git("rev-parse", "main~1").line.utf8)[...]))
    let said = Mutex<[String]>([])
    let (repositories, app) = (bench.repositories, bench.server.app.id)
    bench.server.state.withLock {
      $0.duringBuild = {
        do {
          let repository = try repositories.open(app: app, create: false)
          let moved = try repository.move(try RefName("refs/tags/v1"), from: ObjectID([]), to: other)
          said.withLock { $0.append("moved: \(moved)") }
        } catch {
          said.withLock { $0.append("\(error)") }
        }
      }
    }
    let outcome = try await bench.push("--atomic", "main", "HEAD:refs/tags/v1")
    #expect(outcome.client.status == 0, "\(outcome.client.errors)")
    let attempts = said.withLock { $0 }
    #expect(attempts.count == 1 && attempts[0].contains("File exists"), "\(attempts)")
    #expect(try await bench.bare("rev-parse", "v1").line == bench.git("rev-parse", "main").line)
  }

  @Test("an upkeep while a build runs keeps the commit that is built, also when tags have come along")
  func upkeepMeanwhile() async throws {
    let bench = try await PushBench()
    let reports = Reports()
    let (repositories, app) = (bench.repositories, bench.server.app.id)
    bench.server.state.withLock { $0.duringBuild = { reports.upkeep(repositories, app) } }
    let outcome = try await bench.push("main", "main~1:refs/tags/v1")
    #expect(outcome.client.status == 0, "\(outcome.client.errors)")
    #expect(reports.all == ["dropped 0"])
    try await bench.bare("fsck", "--strict", "--full")
    #expect(try await bench.bare("rev-parse", "main").line == bench.git("rev-parse", "main").line)
  }

  @Test("an upkeep between a build and the moves of --atomic keeps what the other refs will name")
  func upkeepBefore() async throws {
    let bench = try await PushBench()
    let reports = Reports()
    let (repositories, app) = (bench.repositories, bench.server.app.id)
    bench.server.state.withLock { $0.beforeRefs = { reports.upkeep(repositories, app) } }
    let outcome = try await bench.push("--atomic", "main~1:refs/heads/main", "main:refs/tags/v1")
    #expect(outcome.client.status == 0, "\(outcome.client.errors)")
    #expect(reports.all == ["dropped 0"])
    try await bench.bare("fsck", "--strict", "--full")
    #expect(try await bench.bare("rev-parse", "v1").line == bench.git("rev-parse", "main").line)
  }

  @Test("two clients push one new tag while a build runs: one gets it, the other is told")
  func race() async throws {
    let bench = try await PushBench()
    #expect(try await bench.push("main~2:refs/heads/main").client.status == 0)
    async let first = bench.push("main~1:refs/tags/v1")
    async let second = bench.push("main:refs/tags/v1")
    let outcomes = try await [first, second]
    let refused = outcomes.filter { $0.client.status != 0 }
    #expect(refused.count == 1)
    // Whether it saw the other's tag or ran into it depends on who was how fast.
    let text = refused.first?.client.errors ?? ""
    #expect(text.contains("already exists") || text.contains("moved meanwhile"), "\(text)")
  }

  @Test("more than a thousand tags in one push are kept")
  func manyTags() async throws {
    let bench = try await PushBench()
    #expect(try await bench.push("main").client.status == 0)
    let lines = (0..<1100).map { "create refs/tags/t\($0) HEAD\n" }.joined()
    try await bench.git("update-ref", "--stdin", input: Array(lines.utf8))
    let outcome = try await bench.push("--tags")
    #expect(outcome.client.status == 0)
    #expect(try await bench.bare("for-each-ref", "refs/tags").text.split(separator: "\n").count == 1100)
    try await bench.bare("fsck", "--strict", "--full", "--no-dangling")
  }
}

/// What upkeeps did that found all packs old.
private final class Reports: Sendable {
  private let list = Mutex<[String]>([])
  var all: [String] { list.withLock { $0 } }

  func upkeep(_ repositories: Repositories, _ app: AppID) {
    var upkeep = Upkeep(repositories: repositories, app: app)
    upkeep.limit = 0
    do {
      try age(RealGit(directory: repositories.path(app)))
      let report = try upkeep.run()
      list.withLock { $0.append(report.map { "dropped \($0.dropped)" } ?? "nothing done") }
    } catch {
      list.withLock { $0.append("\(error)") }
    }
  }
}
