import Glibc
import Linux
import Platform
import Testing

@testable import GitReceiver

/// Packs that no git makes. Each must be refused fast, with a reason, and without memory for what it claims.
@Suite("Evil packs")
struct GitEvilPackTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func refusal(_ pack: [UInt8], limits: PackLimits = PackLimits()) throws -> GitError {
    let error = #expect(throws: GitError.self) { try indexed(pack, in: directory, piece: 10, limits: limits) }
    return try #require(error)
  }

  private func blob(_ text: String = "hello\n") -> [UInt8] { Array(text.utf8) }

  @Test("a pack cut short anywhere is refused")
  func truncated() throws {
    var pack = PackBuilder(count: 2)
    try pack.object(3, blob())
    try pack.object(3, blob("another\n"))
    let whole = pack.finished
    for length in 0..<whole.count {
      #expect(try refusal(Array(whole.prefix(length))).kind == .disconnected)
    }
    #expect(try indexed(whole, in: directory).count == 2)
  }

  @Test("a pack that claims 2^32-1 objects is refused before anything is allocated for them")
  func lyingCount() throws {
    var pack = PackBuilder(count: .max)
    try pack.object(3, blob())
    let error = try refusal(pack.finished)
    #expect(error.kind == .limit)
    #expect(error.message.contains("4294967295"))
  }

  @Test("a count that is larger than what follows is refused, as is a smaller one")
  func wrongCount() throws {
    for count: UInt32 in [1, 3, 9_999_999] {
      var pack = PackBuilder(count: count)
      try pack.object(3, blob())
      try pack.object(3, blob("another\n"))
      _ = try refusal(pack.finished)
    }
  }

  @Test("a wrong trailer is refused")
  func badTrailer() throws {
    var pack = PackBuilder(count: 1)
    try pack.object(3, blob())
    var bytes = pack.finished
    bytes[bytes.count - 1] ^= 1
    #expect(try refusal(bytes).message.contains("checksum"))
  }

  @Test("an object that inflates to more or less than it says is refused")
  func wrongInflatedSize() throws {
    for size in [0, 5, 7, 100_000] {
      var pack = PackBuilder(count: 1)
      try pack.object(3, blob(), size: size)
      #expect(try refusal(pack.finished).kind == .badObjects)
    }
  }

  @Test("a whole object above the limit is refused by its header alone")
  func largeObject() throws {
    var pack = PackBuilder(count: 1)
    try pack.object(3, blob(), size: 1 << 40)
    #expect(try refusal(pack.finished).kind == .limit)
  }

  @Test("a zip bomb of many objects stops at the limit of the sum")
  func inflateBomb() throws {
    var limits = PackLimits()
    limits.inflatedBytes = 1 << 20
    var pack = PackBuilder(count: 20)
    for number in 0..<20 { try pack.object(3, Array(repeating: UInt8(number), count: 100_000)) }
    #expect(try refusal(pack.finished, limits: limits).kind == .limit)
  }

  @Test("a pack beyond the limit of bytes is refused")
  func tooManyBytes() throws {
    var limits = PackLimits()
    limits.packBytes = 20
    var pack = PackBuilder(count: 1)
    try pack.object(3, blob("some text that does not compress very well: 0123456789"))
    #expect(try refusal(pack.finished, limits: limits).kind == .limit)
  }

  /// A delta of a few bytes can copy its base again and again: 65,536 bytes for each byte or two.
  @Test("a delta bomb is refused by the size it announces, before it is made")
  func deltaBomb() throws {
    let base = Array(repeating: UInt8(0), count: 0x10000)
    var pack = PackBuilder(count: 2)
    try pack.object(3, base)
    let start = 12
    let copies = 1 << 14  // 1 GiB
    let delta = deltaSize(base.count) + deltaSize(base.count * copies) + Array(repeating: 0x80, count: copies)
    try pack.object(6, delta, base: PackBuilder.distance(pack.offset - start))
    #expect(try refusal(pack.finished).kind == .limit)
  }

  @Test("a delta that makes more or less than it announces is refused")
  func deltaSizes() throws {
    let base = blob("0123456789")
    for announced in [9, 11] {
      var pack = PackBuilder(count: 2)
      try pack.object(3, base)
      try pack.object(
        6, deltaSize(10) + deltaSize(announced) + [0x90, 10], base: PackBuilder.distance(pack.offset - 12))
      #expect(try refusal(pack.finished).kind == .badObjects)
    }
  }

  @Test(
    "a broken delta is refused",
    arguments: [
      [], [10], [10, 1], [9, 10, 0x90, 10], [10, 10, 0x91, 1, 10], [10, 10, 0], [10, 10, 5, 1], [10, 10, 0x9F],
      [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
    ] as [[UInt8]])
  func brokenDelta(delta: [UInt8]) throws {
    var pack = PackBuilder(count: 2)
    try pack.object(3, blob("0123456789"))
    try pack.object(6, delta, base: PackBuilder.distance(pack.offset - 12))
    _ = try refusal(pack.finished)
  }

  @Test(
    "a delta whose base lies outside the pack, between objects, or at itself is refused", arguments: [0, 1, 5, 1 << 40])
  func deltaBaseOffset(distance: Int) throws {
    var pack = PackBuilder(count: 2)
    try pack.object(3, blob())
    try pack.object(6, [6, 6, 0x90, 6], base: PackBuilder.distance(distance))
    #expect(try refusal(pack.finished).kind == .badObjects)
  }

  @Test("deltas that are each other's base are refused")
  func circle() throws {
    var pack = PackBuilder(count: 2)
    let one = ObjectID([1]).bytes
    let two = ObjectID([2]).bytes
    try pack.object(7, [6, 6, 0x90, 6], base: one)
    try pack.object(7, [6, 6, 0x90, 6], base: two)
    #expect(try refusal(pack.finished).message.contains("nowhere"))
  }

  @Test("a chain of deltas beyond the limit is refused")
  func deepChain() throws {
    var limits = PackLimits()
    limits.deltaDepth = 10
    var pack = PackBuilder(count: 12)
    var last = pack.offset
    try pack.object(3, blob(""))
    for length in 0..<11 {
      let here = pack.offset
      let copy: [UInt8] = length == 0 ? [] : [0x90, UInt8(length)]
      try pack.object(
        6, deltaSize(length) + deltaSize(length + 1) + copy + [1, 65], base: PackBuilder.distance(here - last))
      last = here
    }
    #expect(try refusal(pack.finished, limits: limits).kind == .limit)
    #expect(try indexed(pack.finished, in: directory).count == 12)
  }

  @Test("the types 0 and 5 do not exist", arguments: [UInt8(0), 5])
  func unknownType(type: UInt8) throws {
    var pack = PackBuilder(count: 1)
    try pack.object(type, blob())
    #expect(try refusal(pack.finished).message.contains("type \(type)"))
  }

  @Test("the same object twice is refused")
  func duplicate() throws {
    var pack = PackBuilder(count: 2)
    try pack.object(3, blob())
    try pack.object(3, blob())
    #expect(try refusal(pack.finished).message.contains("twice"))
  }

  @Test("another version and another format are refused")
  func otherFormat() throws {
    var bytes = PackBuilder(count: 0).finished
    bytes[7] = 4
    #expect(try refusal(bytes).message.contains("version 4"))
    #expect(try refusal(Array("hello, this is no pack at all".utf8)).message.contains("no pack"))
  }

  /// 79 bytes of this kind kept libgit2's indexer busy for ever.
  @Test("a delta on nothing ends")
  func deltaOnNothing() throws {
    var pack = PackBuilder(count: 1)
    try pack.object(7, [6, 6, 0x90, 6], base: ObjectID([9]).bytes)
    #expect(try refusal(pack.finished).kind == .badObjects)
  }

  @Test("a refused pack leaves no index")
  func leavesNothing() throws {
    let target = try directory.directory("packs")
    var pack = PackBuilder(count: 1)
    try pack.object(3, blob(), size: 5)
    let input = ClientInput(MemoryTransport(pack.finished))
    #expect(throws: GitError.self) { try PackIndexer().index(input, into: target) }
    #expect(try Files.names(in: target).filter { $0.hasSuffix(".idx") }.isEmpty)
  }
}

/// Trees that would hurt whoever unpacks them.
@Suite("Evil trees")
struct GitEvilTreeTests {
  private func tree(_ entries: [(mode: String, name: String)]) throws -> GitError? {
    var data: [UInt8] = []
    for entry in entries { data += Array("\(entry.mode) \(entry.name)".utf8) + [0] + ObjectID([1]).bytes }
    return refusal(data)
  }

  private func refusal(_ data: [UInt8]) -> GitError? {
    data.withUnsafeBytes { data in
      do throws(GitError) {
        try ObjectCheck().check(.tree, data, id: ObjectID([2]))
        return nil
      } catch {
        return error
      }
    }
  }

  @Test("a tree of 20,000 names that each begin the next is checked in a moment, and too long a name is refused")
  func namesThatBeginEachOther() throws {
    let head = Array("100644 ".utf8)
    let tail = [0] + ObjectID([1]).bytes
    var data: [UInt8] = []
    for letter in UInt8(ascii: "a")..<UInt8(ascii: "u") {
      for length in 1...1000 { data += head + [UInt8](repeating: letter, count: length) + tail }
    }
    let cost = processorTime { #expect(refusal(data) == nil) }
    #expect(cost < .seconds(10))
    #expect(try tree([("100644", String(repeating: "a", count: 4096))]) == nil)
    let error = try tree([("100644", String(repeating: "a", count: 4097))])
    #expect(error?.message.contains("longer than 4096 bytes") == true)
  }

  @Test(
    "a tree with a name that leaves it, or is git's own, is refused",
    arguments: ["..", ".", ".git", ".GIT", ".Git", "git~1", "GIT~1", "a/b", "/etc", ""])
  func names(name: String) throws {
    #expect(try tree([("100644", name)])?.kind == .badObjects)
  }

  @Test(
    "names that only look alike pass",
    arguments: ["...", ".gitignore", "git", ".gitmodules", "a b", "-rf", "\u{1B}[1m"])
  func goodNames(name: String) throws {
    #expect(try tree([("100644", name)]) == nil)
  }

  @Test("an evil tree in a pack is refused with its id", arguments: ["..", ".git"])
  func inPack(name: String) throws {
    let directory = try TemporaryDirectory()
    let data = Array("40000 \(name)".utf8) + [0] + ObjectID([1]).bytes
    var pack = PackBuilder(count: 1)
    try pack.object(2, data)
    let id = try data.withUnsafeBytes { try hash($0, kind: .tree) }
    let error = #expect(throws: GitError.self) { try indexed(pack.finished, in: directory) }
    #expect(error?.message.contains("\(id)") == true)
  }

  @Test("an evil tree that only a delta makes is refused")
  func inDelta() throws {
    let directory = try TemporaryDirectory()
    let good = Array("40000 ab".utf8) + [0] + ObjectID([1]).bytes
    let evil = Array("40000 ..".utf8) + [0] + ObjectID([1]).bytes
    var pack = PackBuilder(count: 2)
    try pack.object(2, good)
    let delta = deltaSize(good.count) + deltaSize(evil.count) + [UInt8(evil.count)] + evil
    try pack.object(6, delta, base: PackBuilder.distance(pack.offset - 12))
    let error = #expect(throws: GitError.self) { try indexed(pack.finished, in: directory) }
    #expect(error?.message.contains("'..'") == true)
  }

  @Test("entries twice, out of order, or as file and directory are refused")
  func order() throws {
    #expect(try tree([("100644", "a"), ("100644", "a")])?.message.contains("two entries") == true)
    #expect(try tree([("100644", "b"), ("100644", "a")])?.message.contains("sorted") == true)
    #expect(try tree([("120000", "a"), ("100644", "a.b"), ("40000", "a")])?.message.contains("two entries") == true)
    #expect(try tree([("100644", "a"), ("100644", "a.b"), ("40000", "ab"), ("100644", "b")]) == nil)
  }

  @Test(
    "modes that cannot be read are refused, others are left to who unpacks", arguments: ["", "9", "x", "10644"]
  )
  func modes(mode: String) throws {
    let error = try tree([(mode, "a")])
    #expect((error == nil) == (mode == "10644"))
  }

  @Test("a symbolic link .gitmodules is refused")
  func modules() throws { #expect(try tree([("120000", ".gitmodules")]) != nil) }

  @Test("a torn tree is refused")
  func torn() throws {
    let data = Array("100644 a".utf8) + [0] + ObjectID([1]).bytes
    for length in 1..<data.count { #expect(refusal(Array(data.prefix(length))) != nil) }
    #expect(refusal(data) == nil)
  }
}
