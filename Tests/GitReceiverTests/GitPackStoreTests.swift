import Glibc
import Linux
import Platform
import Testing

@testable import GitReceiver

@Suite("Objects read from packs")
struct GitPackStoreTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A bare repository whose pack is full of deltas, and its objects as git sees them.
  private func repository(_ repack: String...) async throws -> (path: String, objects: [(id: ObjectID, kind: String)]) {
    let git = try await RealGit.workWithHistory(in: directory, commits: 20)
    try await git("tag", "-a", "-m", "one", "v1")
    try await git("clone", "-q", "--bare", "--no-hardlinks", ".", "../bare")
    let bare = RealGit(directory: "\(directory.path)/bare")
    _ = try await bare.result(["repack", "-adfq"] + repack)
    let lines = try await bare("cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)").text
    let objects = try lines.split(separator: "\n").map { line in
      let words = line.split(separator: " ")
      return (try #require(ObjectID(Array(words[0].utf8)[...])), String(words[1]))
    }
    return (bare.directory, objects)
  }

  /// Every object, read by us, against what libgit2 reads.
  private func expectAll(_ objects: [(id: ObjectID, kind: String)], in path: String, cache: Int = 32 << 20) throws {
    let store = try PackStore(path, cacheBytes: cache)
    let other = try Repository.open(path)
    #expect(!objects.isEmpty)
    for (id, kind) in objects {
      let found = try #require(try store.object(id))
      let expected = try #require(try other.object(id))
      #expect(found.kind == expected.kind && found.data == expected.data && found.kind.name == kind)
      let header = try #require(try store.header(of: id))
      #expect(header.kind == expected.kind && header.size == expected.data.count)
      let number = try #require(try store.number(of: id))
      #expect(store.id(of: number) == id)
    }
    #expect(try !store.contains(ObjectID([1])))
    #expect(try store.object(ObjectID([1])) == nil)
  }

  @Test("are the same as git's, with offsets as bases", arguments: [0, 4096, 32 << 20])
  func offsets(cache: Int) async throws {
    let (path, objects) = try await repository("--depth=50")
    #expect(objects.count > 60)
    try expectAll(objects, in: path, cache: cache)
  }

  @Test("are the same as git's, with ids as bases")
  func references() async throws {
    let git = try await RealGit.workWithHistory(in: directory, commits: 12)
    try await git("-c", "repack.useDeltaBaseOffset=false", "repack", "-adfq")
    let ids = try await git("rev-list", "--objects", "--all").text.split(separator: "\n").compactMap {
      ObjectID(Array($0.prefix(40).utf8)[...])
    }
    let store = try PackStore("\(git.directory)/.git")
    let other = try Repository.open("\(git.directory)/.git")
    for id in ids { #expect(try store.object(id)?.data == other.object(id)?.data) }
    #expect(ids.count > 30)
  }

  @Test("that are loose, in alternates, or come later are found too")
  func elsewhere() async throws {
    let (path, objects) = try await repository()
    let git = RealGit(directory: directory.path)
    try await git("clone", "-q", "--bare", "--shared", path, "borrower")
    let borrower = RealGit(directory: "\(directory.path)/borrower")
    let store = try PackStore(borrower.directory)
    for object in objects { #expect(try store.contains(object.id)) }
    let blob = try await borrower("hash-object", "-w", "--stdin", input: Array("new".utf8)).line
    let id = try #require(ObjectID(Array(blob.utf8)[...]))
    #expect(try store.object(id)?.data == Array("new".utf8))
    let work = RealGit(directory: "\(directory.path)/work")
    let late = try await work.commit("late")
    try await work("push", "-q", borrower.directory, "main:refs/heads/late")
    try await borrower("repack", "-dq")
    #expect(try store.contains(try #require(ObjectID(Array(late.utf8)[...]))))
  }

  @Test("an index that lies is refused or leads nowhere, and never out of the file")
  func hostileIndex() async throws {
    let (path, objects) = try await repository()
    let name = String(try only(".idx", in: "\(path)/objects/pack").dropLast(4))
    let good = try Files.read("\(name).idx")
    try await blocking {
      for round in 0..<300 {
        unlink("\(name).idx")
        try writeFile(Self.lying(good, round, objects: objects.count), to: "\(name).idx")
        guard let pack = try? StoredPack(name) else { continue }
        let reader = try PackReader(cacheBytes: 1 << 20, objectLimit: 1 << 24)
        for position in 0..<pack.count {
          // Whatever it throws is fine; what matters is that it comes back.
          _ = try? reader.read(pack, 0, pack.offset(at: position)) { _, bytes in bytes.count }
          _ = pack.find(pack.id(at: position))
        }
        _ = try? pack.order()
      }
    }
  }

  /// An index that is cut short, has flipped bytes, or names offsets and fan-out, where it hurts, by chance.
  private static func lying(_ good: [UInt8], _ round: Int, objects: Int) -> [UInt8] {
    var bytes = good
    switch round % 3 {
    case 0: bytes = Array(bytes.prefix(Int.random(in: 0..<bytes.count)))
    case 1: for _ in 0..<4 { bytes[Int.random(in: 0..<bytes.count)] ^= 0xFF }
    default:
      let table = 8 + 4 * 256 + objects * 24
      for _ in 0..<20 { bytes[Int.random(in: table..<bytes.count)] = .random(in: 0 ... .max) }
    }
    return bytes
  }

  @Test("a pack that lies is refused, and never read beyond its end")
  func hostilePack() async throws {
    let (path, _) = try await repository()
    let name = String(try only(".idx", in: "\(path)/objects/pack").dropLast(4))
    let good = try Files.read("\(name).pack")
    try await blocking {
      for round in 0..<300 {
        var bytes = good
        for _ in 0..<8 { bytes[Int.random(in: 12..<(bytes.count - 20))] = .random(in: 0 ... .max) }
        unlink("\(name).pack")
        try writeFile(bytes, to: "\(name).pack")
        let pack = try StoredPack(name)
        // In most rounds long chains of deltas are not made from their start for each object.
        let reader = try PackReader(cacheBytes: round % 5 == 0 ? 1 << 16 : 8 << 20, objectLimit: 1 << 24)
        for position in 0..<pack.count {
          _ = try? reader.read(pack, 0, pack.offset(at: position)) { _, bytes in bytes.count }
          _ = try? reader.header(pack, pack.offset(at: position))
        }
      }
    }
  }

  /// Two REF deltas, each against the other: whoever follows them never arrives.
  @Test("deltas that go round in a circle end")
  func circle() async throws {
    var pack = PackBuilder(count: 2)
    let ids = [ObjectID([1]), ObjectID([2])]
    let delta = deltaSize(3) + deltaSize(3) + [0x90, 3]
    let first = pack.offset
    try pack.object(7, delta, base: ids[1].bytes)
    let second = pack.offset
    try pack.object(7, delta, base: ids[0].bytes)
    let name = "\(directory.path)/pack-circle"
    try Files.writeDurably(pack.finished, to: "\(name).pack")
    let entries = zip(ids, [first, second]).map { id, offset in
      PackIndexWriter.Entry(id: id, offset: UInt64(offset), checksum: 0)
    }
    try PackIndexWriter.write(entries, pack: Array(pack.finished.suffix(20)), to: "\(name).idx")
    let stored = try StoredPack(name)
    let reader = try PackReader(cacheBytes: 1 << 16, objectLimit: 1 << 20)
    #expect(throws: GitError.self) { try reader.read(stored, 0, stored.offset(at: 0)) { _, _ in } }
    #expect(throws: GitError.self) { try reader.kind(stored, stored.offset(at: 0)) }
  }

  @Test("deltas make what they should, and reach nowhere else")
  func deltas() {
    func apply(_ instructions: [UInt8], _ base: String, _ size: Int) -> String? {
      var result = [UInt8](repeating: 0, count: size)
      let delta = deltaSize(base.utf8.count) + deltaSize(size) + instructions
      do {
        try result.withUnsafeMutableBytes { target in
          try Array(base.utf8).withUnsafeBytes { base in
            try delta.withUnsafeBytes { try Delta.apply($0, to: base, into: target) }
          }
        }
      } catch { return nil }
      return String(decoding: result, as: UTF8.self)
    }
    #expect(apply([0x91, 1, 3, 2, 0x78, 0x79], "abcdef", 5) == "bcdxy")
    #expect(apply([0x91, 4, 3], "abcdef", 3) == nil)
    #expect(apply([0x91, 1, 3], "abcdef", 2) == nil)
    #expect(apply([0x91, 1, 3], "abcdef", 4) == nil)
    #expect(apply([0x91, 1], "abcdef", 3) == nil)
    #expect(apply([5, 1], "abcdef", 5) == nil)
    #expect(apply([0], "abcdef", 1) == nil)
    #expect(apply([0xFF, 255, 255, 255, 255, 255, 255, 255], "abcdef", 8) == nil)
  }
}
