import Dispatch
import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Testing

@testable import GitReceiver

@Suite("Upkeep of a repository")
struct GitUpkeepTests {
  private let directory: TemporaryDirectory
  private let repositories: Repositories
  private let app = AppID()
  private var bare: RealGit { RealGit(directory: repositories.path(app)) }
  private var packs: [String] {
    get throws { try Files.names(in: "\(bare.directory)/objects/pack").filter { $0.hasSuffix(".pack") } }
  }

  init() throws {
    directory = try TemporaryDirectory()
    repositories = Repositories(directory: "\(directory.path)/repositories")
  }

  /// A work tree and a repository into which every commit came as a pack of its own.
  private func filled(_ commits: Int) async throws -> RealGit {
    let git = try await RealGit.work(in: directory)
    _ = try repositories.open(app: app, create: true)
    for number in 0..<commits { try await push(git, number) }
    return git
  }

  /// One more commit, in a pack as the receiver keeps it.
  @discardableResult
  private func push(
    _ git: RealGit, _ number: Int, ref: String? = "refs/heads/main", since: ObjectID? = nil
  ) async throws -> ObjectID {
    let lines = (0..<200).map { $0 == number % 200 ? "changed in \(number)" : "line \($0)" }
    try git.write("file", lines.joined(separator: "\n"))
    let commit = try await git.commit("commit \(number)")
    let main = try await bare.result(["rev-parse", "-q", "--verify", "refs/heads/main"]).line
    let before = since.map { "\($0)" } ?? main
    let range = before.isEmpty ? commit : "\(commit)\n^\(before)"
    let pack = try await git("pack-objects", "--revs", "--stdout", "-q", input: Array("\(range)\n".utf8)).output
    let target = try directory.directory("pack-\(UInt32.random(in: 0 ... .max))")
    _ = try PackIndexer().index(ClientInput(MemoryTransport(pack)), into: target)
    for name in try Files.names(in: target) {
      rename("\(target)/\(name)", "\(bare.directory)/objects/pack/\(name)")
    }
    if let ref { try await bare("update-ref", ref, commit) }
    return try #require(ObjectID(Array(commit.utf8)[...]))
  }

  private func upkeep(limit: Int = 3, after seconds: Int = 0) -> Upkeep {
    var upkeep = Upkeep(repositories: repositories, app: app)
    upkeep.limit = limit
    upkeep.now += seconds
    return upkeep
  }

  @Test("makes one pack of many, with everything in it, and is done then")
  func consolidates() async throws {
    let git = try await filled(8)
    let before = try await bare("rev-list", "--objects", "--all").text
    #expect(try packs.count == 8)
    let report = try #require(try upkeep().run())
    #expect(report.packs == 1 && report.dropped == 0 && report.kept == 0)
    #expect(report.objects == before.split(separator: "\n").count)
    #expect(try packs.count == 1)
    #expect(try await bare("rev-list", "--objects", "--all").text == before)
    try await bare("fsck", "--strict", "--full")
    let verified = try await bare("verify-pack", "\(bare.directory)/objects/pack/\(packs[0].dropLast(5)).idx")
    #expect(verified.status == 0)
    #expect(try upkeep().run() == nil)
    try await git("fetch", "-q", bare.directory, "main")
  }

  @Test("leaves a repository with few packs alone")
  func few() async throws {
    _ = try await filled(3)
    #expect(try upkeep().run() == nil)
    #expect(try packs.count == 3)
  }

  @Test("keeps what no ref reaches for two weeks, and then drops it")
  func unreachable() async throws {
    let git = try await filled(5)
    let lost = try await push(git, 77, ref: nil)
    let first = try #require(try upkeep().run())
    #expect(first.dropped == 0 && first.kept == 3 && first.packs == 2)
    #expect(try repositories.open(app: app, create: false).contains(lost))
    // Consolidating again does not make it any younger.
    let again = try #require(try upkeep(limit: 1, after: 10 * 24 * 3600).run())
    #expect(again.kept == 3 && again.dropped == 0)
    let last = try #require(try upkeep(limit: 1, after: 15 * 24 * 3600).run())
    #expect(last.dropped == 3 && last.packs == 1)
    #expect(try !repositories.open(app: app, create: false).contains(lost))
    try await bare("fsck", "--strict", "--full")
  }

  @Test("what young objects lead to stays as long as they do, however old it is and whatever is missing")
  func linked() async throws {
    let git = try await filled(5)
    let lost = try await push(git, 76, ref: nil)
    try await git("reset", "-q", "--hard", "HEAD~1")
    let old = try await push(git, 77, ref: nil)
    try age(bare)
    let young = try await push(git, 78, ref: nil, since: old)
    let absent = try #require(ObjectID(Array(try await git.commit("never pushed").utf8)[...]))
    try await push(git, 79, ref: nil, since: absent)
    let first = try #require(try upkeep().run())
    #expect(first.dropped == 3 && first.kept == 9)
    let repository = try repositories.open(app: app, create: false)
    #expect(!repository.contains(lost) && repository.contains(old) && repository.contains(young))
    try await bare("rev-list", "--objects", "\(young)")
    let last = try #require(try upkeep(limit: 1, after: 15 * 24 * 3600).run())
    #expect(last.dropped == 9 && last.packs == 1)
  }

  @Test("half a pack that nobody will complete goes after an hour, unless a push is under way")
  func halves() async throws {
    _ = try await filled(5)
    let path = "\(bare.directory)/objects/pack"
    try Files.writeDurably("half".utf8, to: "\(path)/pack-old.pack")
    try age(bare)
    try Files.writeDurably("half".utf8, to: "\(path)/pack-young.pack")
    let push = repositories.quarantine(app: app, push: PushID())
    try push.create()
    _ = try #require(try upkeep().run())
    #expect(Files.exists("\(path)/pack-old.pack"))
    try push.discard()
    _ = try #require(try upkeep(limit: 1).run())
    #expect(!Files.exists("\(path)/pack-old.pack") && Files.exists("\(path)/pack-young.pack"))
    try await bare("fsck", "--strict", "--full")
  }

  @Test("drops nothing while a push is under way, nor what a ref is about to name")
  func protects() async throws {
    let git = try await filled(5)
    let lost = try await push(git, 77, ref: nil)
    let push = repositories.quarantine(app: app, push: PushID())
    try push.create()
    let busy = try #require(try upkeep(after: 20 * 24 * 3600).run())
    #expect(busy.dropped == 0 && busy.kept == 3)
    try push.discard()
    try Upkeep.expect([lost], by: PushID(), .build, in: bare.directory)
    let expecting = try #require(try upkeep(limit: 1, after: 14 * 24 * 3600 - 60).run())
    #expect(expecting.dropped == 0)
    #expect(try repositories.open(app: app, create: false).contains(lost))
  }

  @Test("a push that begins while objects are dropped waits until that is over")
  func waits() async throws {
    _ = try await filled(1)
    try Files.writeDurably([], to: "\(bare.directory)/pruning")
    let (repositories, app) = (repositories, app)
    let quarantine = repositories.quarantine(app: app, push: PushID())
    let order = try await repositoriesLocked(repositories, app) { quarantine }
    #expect(order == ["released", "created"])
    #expect(!Files.exists("\(bare.directory)/pruning"))
  }

  /// Holds the lock, lets somebody make the quarantine meanwhile, and says in which order things happened.
  private func repositoriesLocked(
    _ repositories: Repositories, _ app: AppID, _ quarantine: () -> Quarantine
  ) async throws -> [String] {
    let quarantine = quarantine()
    let events = Events()
    let locked = DispatchSemaphore(value: 0)
    async let creation: Void = blocking {
      locked.wait()
      try? quarantine.create()
      events.add("created")
    }
    try await blocking {
      try repositories.locked(app) {
        locked.signal()
        // The directory is there, so the other thread waits for the lock by now, or is just about to.
        let deadline = ContinuousClock.now + .seconds(300)
        while !quarantine.exists, ContinuousClock.now < deadline { sched_yield() }
        events.add("released")
      }
    }
    await creation
    return events.all
  }

  @Test("a reader that opened the repository before goes on afterwards")
  func readers() async throws {
    _ = try await filled(6)
    let old = try PackStore(bare.directory)
    let libgit2 = try repositories.open(app: app, create: false)
    let ids = try await bare("rev-list", "--objects", "--all").text.split(separator: "\n").compactMap {
      ObjectID(Array($0.prefix(40).utf8)[...])
    }
    #expect(libgit2.contains(ids[0]))
    _ = try #require(try upkeep().run())
    for id in ids {
      #expect(try old.object(id) != nil)
      #expect(try libgit2.object(id) != nil)
    }
    #expect(ids.count == 18)
  }

  @Test("a repository with a missing object is left as it is")
  func damaged() async throws {
    let git = try await filled(6)
    let missing = try await git("commit-tree", "HEAD^{tree}", "-m", "x").line
    try Files.writeDurably("\(missing)\n".utf8, to: "\(bare.directory)/refs/heads/broken")
    #expect(throws: GitError.self) { try upkeep().run() }
    #expect(try packs.count == 6)
    #expect(try Files.names(in: "\(bare.directory)/objects/pack").allSatisfy { $0.hasPrefix("pack-") })
  }

  @Test("starts by itself after the fifty-first pack, in the background")
  func background() async throws {
    _ = try await filled(51)
    Upkeep.startIfNeeded(
      repositories, app: app, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let path = "\(bare.directory)/objects/pack"
    let done = await eventually { ((try? Files.names(in: path)) ?? []).filter { $0.hasSuffix(".pack") }.count == 1 }
    #expect(done)
    try await bare("fsck", "--strict", "--full")
  }
}

/// Makes all packs of a repository twenty days old.
func age(_ bare: RealGit) throws {
  let path = "\(bare.directory)/objects/pack"
  let moment = timespec(tv_sec: time(nil) - 20 * 24 * 3600, tv_nsec: 0)
  for name in try Files.names(in: path) where name.hasSuffix(".pack") {
    try checked("age '\(name)'") { utimensat(AT_FDCWD, "\(path)/\(name)", [moment, moment], 0) }
  }
}

/// What happened, in order.
private final class Events: Sendable {
  private let list = Mutex<[String]>([])

  func add(_ event: String) { list.withLock { $0.append(event) } }
  var all: [String] { list.withLock { $0 } }
}
