import Glibc
import Linux
import Testing

@testable import GitReceiver

@Suite("Refs in their files")
struct GitRefTests {
  private let directory: TemporaryDirectory
  private let git: RealGit
  private let one: ObjectID
  private let two: ObjectID

  init() async throws {
    directory = try TemporaryDirectory()
    let work = try await RealGit.workWithHistory(in: directory, commits: 2)
    try await work("tag", "-a", "-m", "t", "v1")
    git = RealGit(directory: "\(work.directory)/.git")
    one = try #require(ObjectID(Array(try await work("rev-parse", "HEAD~1").line.utf8)[...]))
    two = try #require(ObjectID(Array(try await work("rev-parse", "HEAD").line.utf8)[...]))
  }

  private var refs: RefFiles { RefFiles(git.directory) }

  private func name(_ text: String) -> [UInt8] { Array(text.utf8) }

  private func move(_ updates: [(String, ObjectID?, ObjectID)]) throws {
    var transaction = RefTransaction(RefLocks(refs))
    for (ref, old, new) in updates { transaction.add(.init(name: name(ref), old: old, new: new)) }
    try transaction.prepare()
    try transaction.commit(logs: nil)
  }

  /// Sweeps until that has had its effect: a child that another test starts has open, from its fork to its exec, what
  /// we have closed meanwhile, and so for a moment a lock outlives the owner whose death a test plays.
  private func sweeps(until isDone: @Sendable () -> Bool) async -> Bool {
    let path = git.directory
    return await eventually { (try? RefLocks.sweep(RefFiles(path))) != nil && isDone() }
  }

  @Test("every ref is found that git finds, loose, packed and symbolic")
  func all() async throws {
    try await git("update-ref", "refs/heads/a/b", "HEAD")
    try await git("pack-refs", "--all")
    try await git("update-ref", "refs/heads/a/c", "HEAD~1")
    try await git("update-ref", "refs/heads/main", "HEAD~1")
    try await git("symbolic-ref", "refs/heads/alias", "refs/heads/a/b")
    try await git("symbolic-ref", "refs/heads/nowhere", "refs/heads/none")
    let listed = try await git("for-each-ref", "--format=%(objectname) %(refname)").text
    let found = try refs.all().map { "\($0.id) \(String(decoding: $0.name, as: UTF8.self))\n" }.joined()
    #expect(found == listed)
  }

  @Test("many changes become packed-refs that git reads as its own, peeled tags included")
  func bulk() async throws {
    try await git("pack-refs", "--all")
    let tag = try #require(ObjectID(Array(try await git("rev-parse", "v1").line.utf8)[...]))
    var transaction = RefTransaction(RefLocks(refs))
    for number in 0..<30 {
      transaction.add(.init(name: name("refs/tags/n\(number)"), old: ObjectID([]), new: tag, peeled: two))
    }
    transaction.add(.init(name: name("refs/tags/v1"), old: tag, new: ObjectID([])))
    transaction.add(.init(name: name("refs/heads/main"), old: two, new: one))
    try transaction.prepare()
    try transaction.commit(logs: nil)
    let ours = try Files.text("\(git.directory)/packed-refs")
    try await git("pack-refs", "--all")
    #expect(try Files.text("\(git.directory)/packed-refs") == ours)
    #expect(try await git("rev-parse", "n7^{}").line == "\(two)")
    #expect(try await git("rev-parse", "main").line == "\(one)")
  }

  @Test("a packed ref that is deleted does not come back, and the others stay byte for byte")
  func packedDeletion() async throws {
    try await git("update-ref", "refs/heads/x", "HEAD")
    try await git("pack-refs", "--all")
    try await git("update-ref", "refs/heads/x", "HEAD~1")
    try move([("refs/heads/x", one, ObjectID([]))])
    #expect(try await git.result(["rev-parse", "--verify", "-q", "refs/heads/x"]).status == 1)
    let ours = try Files.text("\(git.directory)/packed-refs")
    #expect(!ours.contains("refs/heads/x") && ours.contains("refs/tags/v1\n^\(two)\n"))
  }

  @Test("what is not as it should be stays, and is said in git's words")
  func refusals() throws {
    func message(_ updates: [(String, ObjectID?, ObjectID)]) -> String? {
      do { try move(updates) } catch { return (error as? RefFailure)?.message ?? "\(error)" }
      return nil
    }
    let zero = ObjectID([])
    #expect(
      message([("refs/heads/main", one, two)]) == "cannot lock ref 'refs/heads/main': is at \(two) but expected \(one)")
    #expect(message([("refs/heads/main", zero, one)]) == "cannot lock ref 'refs/heads/main': reference already exists")
    #expect(
      message([("refs/heads/no", one, two)])
        == "cannot lock ref 'refs/heads/no': unable to resolve reference 'refs/heads/no'")
    #expect(message([("refs/heads/main/x", zero, one)])?.hasSuffix("cannot create 'refs/heads/main/x'") == true)
    #expect(message([("refs/heads/n", zero, one), ("refs/heads/main", one, two)])?.contains("is at") == true)
    #expect(try refs.value(of: name("refs/heads/n")) == nil)
    #expect(try Files.names(in: git.directory).allSatisfy { !$0.hasPrefix("paas") })
  }

  @Test("a living owner's lock is waited for and respected, by us and by git; a dead one's is not")
  func locks() async throws {
    let holder = RefLocks(refs)
    try holder.acquire(name("refs/heads/main"), within: .zero)
    #expect(throws: RefFailure.self) { try move([("refs/heads/main", two, one)]) }
    #expect(try await git.result(["update-ref", "refs/heads/main", "HEAD~1"]).status == 128)
    try RefLocks.sweep(refs)
    #expect(Files.exists("\(git.directory)/refs/heads/main.lock"))
    holder.release(name("refs/heads/main"))
    try move([("refs/heads/main", two, one)])
    // A lock of ours that nobody holds: its owner's name in it, and no kernel lock on it.
    try Files.writeDurably("paas receive-pack paas-refs-1-2\n".utf8, to: "\(git.directory)/refs/heads/main.lock")
    try move([("refs/heads/main", one, two)])
    // git's own: who knows.
    try Files.writeDurably([], to: "\(git.directory)/refs/heads/main.lock")
    #expect(throws: RefFailure.self) { try move([("refs/heads/main", two, one)]) }
  }

  @Test("a directory in the way of one ref keeps all of them where they are")
  func blocked() throws {
    try Files.makeDirectory("\(git.directory)/refs/tags/b")
    try Files.writeDurably([], to: "\(git.directory)/refs/tags/b/x.lock")
    try Files.makeDirectory("\(git.directory)/refs/tags/c/d")
    let zero = ObjectID([])
    #expect(throws: RefFailure.self) { try move([("refs/tags/a", zero, one), ("refs/tags/b", zero, one)]) }
    #expect(try refs.value(of: name("refs/tags/a")) == nil)
    try move([("refs/tags/a", zero, one), ("refs/tags/c", zero, one)])
    #expect(try refs.value(of: name("refs/tags/c")) == .id(one))
  }

  @Test("what fails half way is undone: moved, made and deleted refs stand where they stood")
  func undone() throws {
    let zero = ObjectID([])
    try move([("refs/heads/gone", zero, one)])
    var transaction = RefTransaction(RefLocks(refs))
    for (ref, old, new) in [
      ("refs/heads/gone", one, zero), ("refs/heads/main", two, one), ("refs/tags/a", zero, one),
      ("refs/tags/b", zero, one),
    ] { transaction.add(.init(name: name(ref), old: old, new: new)) }
    try transaction.prepare()
    try Files.makeDirectory("\(git.directory)/refs/tags/b")
    try Files.writeDurably([], to: "\(git.directory)/refs/tags/b/x.lock")
    #expect(throws: (any Error).self) { try transaction.commit(logs: nil) }
    #expect(!transaction.isHalfDone)
    #expect(try refs.value(of: name("refs/heads/gone")) == .id(one))
    #expect(try refs.value(of: name("refs/heads/main")) == .id(two))
    #expect(try refs.value(of: name("refs/tags/a")) == nil)
    #expect(!Files.exists("\(git.directory)/refs/heads/main.lock"))
  }

  @Test("a dead owner's journal that cannot be replayed keeps its locks until it can")
  func replayLater() async throws {
    let workspace = "\(git.directory)/paas-refs-1-2"
    try Files.makeDirectory(workspace)
    try Files.writeDurably("paas receive-pack paas-refs-1-2\n".utf8, to: "\(workspace)/token")
    try Files.writeDurably("refs/tags/b\n".utf8, to: "\(workspace)/locks")
    try Files.writeDurably("\(one)\n".utf8, to: "\(workspace)/0")
    try Files.writeDurably("loose\n0 \(one) \(ObjectID([])) refs/tags/b\n".utf8, to: "\(workspace)/journal")
    link("\(workspace)/token", "\(git.directory)/refs/tags/b.lock")
    let stray = "\(git.directory)/refs/tags/b/x.lock"
    try Files.makeDirectory("\(git.directory)/refs/tags/b")
    try Files.writeDurably([], to: stray)
    try RefLocks.sweep(refs)
    #expect(throws: RefFailure.self) { try RefLocks(refs).acquire(name("refs/tags/b"), within: .zero) }
    #expect(Files.exists("\(git.directory)/refs/tags/b.lock") && Files.exists("\(workspace)/journal"))
    unlink(stray)
    #expect(await sweeps { !Files.exists(workspace) })
    #expect(try refs.value(of: name("refs/tags/b")) == .id(one))
    #expect(!Files.exists("\(git.directory)/refs/tags/b.lock"))
  }

  @Test("more refs than a file can have names are locked, moved and swept all the same")
  func manyLinks() async throws {
    let locks = RefLocks(refs, linksPerToken: 4)
    for round in 0..<2 {
      var transaction = RefTransaction(locks)
      for number in 0..<20 {
        let added = try transaction.admit(
          .init(name: name("refs/tags/n\(number)"), old: round == 0 ? ObjectID([]) : one, new: round == 0 ? one : two))
        #expect(added)
      }
      try transaction.commit(logs: nil)
    }
    #expect(try refs.value(of: name("refs/tags/n19")) == .id(two))
    for number in 0..<20 { try locks.acquire(name("refs/tags/n\(number)"), within: .zero) }
    locks.leaveToReplay()
    let path = git.directory
    #expect(await sweeps { (try? Files.names(in: path).contains { $0.hasPrefix("paas") }) == false })
    #expect(!Files.exists("\(path)/refs/tags/n0.lock") && !Files.exists("\(path)/refs/tags/n19.lock"))
  }

  @Test("names are judged as git check-ref-format judges them")
  func format() async throws {
    let names = [
      "a", "a/b", ".a", "a.", "a..b", "a.lock", "a.lock/b", "a b", "a~", "a^", "a:", "a?", "a*", "a[", "a\\b", "a@{b",
      "@", "a@", "a//b", "a/", "/a", "a/.b", "a\u{7f}", "a\tb", "ü", "HEAD", "a.b", "-a", "a@b", "{",
    ]
    for text in names {
      let accepted = try await git.result(["check-ref-format", "refs/heads/\(text)"]).status == 0
      #expect(RefFormat.isValid(name("refs/heads/\(text)")) == accepted, "\(text)")
    }
    #expect(!RefFormat.isValid(name("refs/a")) && RefFormat.isValid(name("refs/a"), deleting: true))
    #expect(!RefFormat.isValid(name("heads/a")) && !RefFormat.isValid(name("HEAD"), deleting: true))
  }
}

@Suite("A repository's settings")
struct GitSettingsTests {
  @Test("the last pattern that fits decides what is hidden")
  func hidden() {
    let hidden = HiddenRefs(["refs/heads", "!refs/heads/show", "refs/heads/show/not", "^refs/full/"])
    func hides(_ name: String) -> Bool { hidden.hides(Array(name.utf8)) }
    #expect(hides("refs/heads/a") && hides("refs/heads") && !hides("refs/headstrong"))
    #expect(!hides("refs/heads/show") && !hides("refs/heads/show/a") && hides("refs/heads/show/not/x"))
    #expect(hides("refs/full/a") && !hides("refs/tags/a"))
  }

  @Test("values are read as git reads them, wherever they stand")
  func values() async throws {
    let directory = try TemporaryDirectory()
    let git = RealGit(directory: directory.path)
    try await git("init", "-q", "--bare", ".")
    try Files.writeDurably(
      "[receive]\n\tdenyDeletes\n\tmaxInputSize = 2k\n[include]\n\tpath = more\n".utf8, to: "\(directory.path)/global")
    try Files.writeDurably("[transfer]\n\tfsckObjects = 1\n\thideRefs = refs/a\n".utf8, to: "\(directory.path)/more")
    try await git("config", "receive.denyCurrentBranch", "no")
    try await git("config", "receive.hideRefs", "!refs/a/b")
    try await git("config", "receive.advertiseAtomic", "off")
    try await git("config", "receive.denyDeleteCurrent", "true")
    let environment = ["GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "\(directory.path)/global"]
    let settings = try StandaloneSettings(try GitConfig.read(directory.path, environment: environment))
    #expect(settings.denyDeletes && settings.maximumInputSize == 2048 && settings.fsckObjects)
    #expect(settings.denyCurrentBranch == .ignore && settings.denyDeleteCurrent == .refuse)
    #expect(!settings.advertiseAtomic && !settings.advertisePushOptions && settings.isBare == true)
    #expect(settings.hidden.hides(Array("refs/a/c".utf8)) && !settings.hidden.hides(Array("refs/a/b".utf8)))
    let alone = try StandaloneSettings(try GitConfig.read(directory.path, environment: ["GIT_CONFIG_NOSYSTEM": "1"]))
    #expect(!alone.denyDeletes && !alone.fsckObjects)
    #expect(throws: GitError.self) {
      try StandaloneSettings(GitConfig([.init(key: "receive.denydeletes", value: "x")]))
    }
    #expect(GitConfig.number("99999999999999999g") == nil && GitConfig.number("k") == nil)
  }
}
