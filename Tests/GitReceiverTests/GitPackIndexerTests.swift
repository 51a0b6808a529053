import Glibc
import Linux
import Platform
import Testing

@testable import GitReceiver

@Suite("Packs of the real git")
struct GitPackIndexerTests {
  /// Indexes in pieces of `piece` bytes and compares with `git index-pack`, byte for byte.
  private func compare(_ pack: [UInt8], in directory: TemporaryDirectory, piece: Int) async throws {
    let ours = try directory.directory("ours-\(piece)")
    let contents = try PackIndexer().index(ClientInput(MemoryTransport(pack, piece: piece)), into: ours)
    let theirs = RealGit(directory: try directory.directory("theirs-\(piece)"))
    try Files.writeDurably(pack, to: "\(theirs.directory)/p.pack")
    try await theirs("index-pack", "p.pack")
    #expect(try Files.read(try only(".idx", in: ours)) == Files.read("\(theirs.directory)/p.idx"))
    #expect(try Files.read(try only(".pack", in: ours)) == pack)
    let verified = try await theirs("verify-pack", "-v", try only(".pack", in: ours))
    let listed = verified.text.split(separator: "\n").compactMap { line -> String? in
      let words = line.split(separator: " ")
      return words.count >= 5 && words[0].count == 40 ? "\(words[0]) \(words[1])" : nil
    }
    #expect(Set(listed) == Set(contents.objects.map { "\($0.id) \($0.kind.name)" }))
    #expect(listed.count == contents.count)
  }

  @Test("a pack with offset deltas gets the index that git gives it", arguments: [1, 7, 4096, Int.max])
  func offsetDeltas(piece: Int) async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory)
    let pack = try await git("pack-objects", "--all", "--stdout", "--delta-base-offset", "-q").output
    try await compare(pack, in: directory, piece: piece)
  }

  @Test("a pack with reference deltas gets the index that git gives it")
  func referenceDeltas() async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory)
    let pack = try await git("pack-objects", "--all", "--stdout", "-q", "--depth=50", "--window=50").output
    try await compare(pack, in: directory, piece: 4096)
  }

  @Test("bases that do not fit the memory limit are made again")
  func smallMemory() async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory, commits: 20)
    let pack = try await git("pack-objects", "--all", "--stdout", "-q", "--depth=50", "--window=50").output
    var limits = PackLimits()
    limits.heldBytes = 0
    let few = try indexed(pack, in: directory, limits: limits)
    let many = try indexed(pack, in: directory)
    #expect(few.objects.map(\.id) == many.objects.map(\.id))
    #expect(few.count > 40)
  }

  @Test("a thin pack is completed from the repository and stands alone")
  func thin() async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory)
    let revisions = Array("HEAD\n^HEAD~2\n".utf8)
    let pack = try await git("pack-objects", "--thin", "--revs", "--stdout", "-q", input: revisions).output
    let target = try directory.directory("thin")
    let repository = try Repository.open("\(git.directory)/.git")
    let contents = try PackIndexer { try repository.object($0) }
      .index(ClientInput(MemoryTransport(pack, piece: 100)), into: target)
    let bases = try await git("verify-pack", "-v", try only(".pack", in: target))
    #expect(bases.text.contains("pack-"))
    let list = try await git("rev-list", "--objects", "HEAD", "^HEAD~2").text.split(separator: "\n")
    #expect(Set(list.map { String($0.prefix(40)) }) == Set(contents.objects.map { "\($0.id)" }))
    // Without the repository its bases are nowhere.
    #expect(throws: GitError.self) { try indexed(pack, in: directory) }
  }

  @Test("an empty pack leaves no file")
  func empty() throws {
    let directory = try TemporaryDirectory()
    let target = try directory.directory("empty")
    let contents = try PackIndexer().index(
      ClientInput(MemoryTransport(PackBuilder(count: 0).finished)), into: target)
    #expect(contents.count == 0)
    #expect(try Files.names(in: target).isEmpty)
  }

  @Test("a client that leaves during the second pass ends it")
  func leavesInSecondPass() throws {
    struct Left: Error {}
    let directory = try TemporaryDirectory()
    var pack = PackBuilder(count: 100)
    for number in 0..<100 { try pack.object(3, Array("blob \(number)\n".utf8)) }
    var indexer = PackIndexer()
    indexer.checkInterval = .zero
    var calls = 0
    indexer.check = {
      calls += 1
      if calls == 10 { throw Left() }
    }
    #expect(throws: Left.self) {
      _ = try indexer.index(ClientInput(MemoryTransport(pack.finished)), into: try directory.directory("packs"))
    }
    #expect(calls == 10)
  }

  @Test("nothing behind the pack's end is read")
  func stopsAtTheEnd() throws {
    let directory = try TemporaryDirectory()
    var pack = PackBuilder(count: 1)
    try pack.object(3, Array("hello\n".utf8))
    let input = ClientInput(MemoryTransport(pack.finished + Array("next".utf8)))
    _ = try PackIndexer().index(input, into: try directory.directory("packs"))
    #expect(try input.bytes(4) == Array("next".utf8))
  }

  @Test("a delta against an object that a later delta makes is resolved")
  func chainOfReferences() throws {
    let directory = try TemporaryDirectory()
    let base = Array(repeating: UInt8(ascii: "x"), count: 100)
    let middle = Array("m".utf8) + base
    let id = { (data: [UInt8]) in try data.withUnsafeBytes { try hash($0, kind: .blob) } }
    var pack = PackBuilder(count: 3)
    // last ← middle ← base, in the wrong order
    try pack.object(7, deltaSize(101) + deltaSize(102) + [1, UInt8(ascii: "l"), 0x90, 101], base: id(middle).bytes)
    try pack.object(7, deltaSize(100) + deltaSize(101) + [1, UInt8(ascii: "m"), 0x90, 100], base: id(base).bytes)
    try pack.object(3, base)
    let contents = try indexed(pack.finished, in: directory)
    #expect(contents.kind(of: try id(Array("lm".utf8) + base)) == .blob)
    #expect(contents.count == 3)
  }
}

@Suite("Objects that the repository has already")
struct GitKnownObjectTests {
  @Test("one that comes again is taken, one with other contents is refused as a collision")
  func collision() async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory)
    try await git("repack", "-adq")
    let pack = try await git("pack-objects", "--all", "--stdout", "-q").output
    let store = try PackStore("\(git.directory)/.git")
    let again = try PackIndexer(store: store)
      .index(ClientInput(MemoryTransport(pack)), into: try directory.directory("again"))
    #expect(again.count > 20)

    // Nobody can make a collision here, so an id is given to other bytes.
    let known = KnownObjects(store)
    let id = try #require(again.objects.first { $0.kind == .blob }?.id)
    let error = try #require(throws: GitError.self) {
      try Array("other".utf8).withUnsafeBytes { try known.compare(id, .blob, $0) }
    }
    #expect(error.message == "object \(id) is in the repository with other contents: a SHA-1 collision")
    // Nobody has the bytes of this one.
    try Array("other".utf8).withUnsafeBytes { try known.compare(ObjectID([1]), .blob, $0) }
  }
}
