@testable import GitReceiver

/// A pack that no git makes, named by its attack. All are for a repository that holds ``stored``.
struct EvilPack: Sendable {
  let name: String
  let bytes: [UInt8]
  /// Why we refuse what git accepts; `nil`: we must say what git says.
  var stricter: String?

  /// What the repository holds before: blobs, an empty tree and a commit.
  static let stored: [(ObjectKind, [UInt8])] = [
    (.blob, FsckObjects.blob), (.blob, FsckObjects.other), (.tree, []), (.commit, FsckObjects.commit),
    (.blob, evilModules),
  ]
  static let evilModules = Array("[submodule \"../..\"]\n\turl = x\n".utf8)

  static func all() throws -> [EvilPack] {
    try frames() + headers() + streams() + offsets() + deltas() + references() + bombs() + trees() + links()
  }

  static func make(_ name: String, count: UInt32, stricter: String? = nil, _ fill: (inout PackBuilder) throws -> Void)
    rethrows -> EvilPack
  {
    var pack = PackBuilder(count: count)
    try fill(&pack)
    return EvilPack(name: name, bytes: pack.finished, stricter: stricter)
  }

  static let hello = Array("hello, hello, hello\n".utf8)
  static let another = Array("another, another\n".utf8)

  // MARK: The pack around the objects

  static func frames() throws -> [EvilPack] {
    let good = try make("", count: 2) {
      try $0.object(3, hello)
      try $0.object(3, another)
    }.bytes
    var packs = [0, 1, 4, 8, 11, 12, 13, 14, 20, good.count - 40, good.count - 20, good.count - 10, good.count - 1].map
    {
      EvilPack(name: "cut short after \($0) of \(good.count) bytes", bytes: Array(good.prefix($0)))
    }
    for count: UInt32 in [0, 1, 3, 1000, 1 << 31, .max] {
      packs.append(
        try make("announces \(count) objects and holds 2", count: count) {
          try $0.object(3, hello)
          try $0.object(3, another)
        })
    }
    for version: UInt8 in [0, 1, 3, 4, 255] {
      packs.append(resummed("version \(version)", good) { $0[7] = version })
    }
    packs.append(resummed("signature in lower case", good) { $0[0] = 0x70 })
    packs.append(EvilPack(name: "wrong trailer", bytes: good.dropLast() + [good[good.count - 1] ^ 1]))
    packs.append(EvilPack(name: "trailer of zeros", bytes: good.dropLast(20) + [UInt8](repeating: 0, count: 20)))
    packs.append(resummed("a byte between objects and trailer", good) { $0.append(0) })
    packs.append(make("no objects", count: 0) { _ in })
    packs.append(try make("one object twice", count: 2) { for _ in 0..<2 { try $0.object(3, hello) } })
    return packs
  }

  private static func resummed(_ name: String, _ pack: [UInt8], _ change: (inout [UInt8]) -> Void) -> EvilPack {
    var body = Array(pack.dropLast(20))
    change(&body)
    return EvilPack(name: name, bytes: PackBuilder.sealed(body))
  }

  // MARK: Heads of objects

  static func headers() throws -> [EvilPack] {
    var packs = try [0, 1, hello.count - 1, hello.count + 1, 100_000, 600 << 20, 1 << 40].map { (size: Int) in
      try make("says \(size) bytes and holds \(hello.count)", count: 1) { try $0.object(3, hello, size: size) }
    }
    for type: UInt8 in [0, 5] {
      packs.append(try make("type \(type)", count: 1) { try $0.object(type, hello) })
    }
    packs.append(
      try make("a size with no end", count: 1) {
        $0.raw([0xB0] + [UInt8](repeating: 0xFF, count: 30) + [0x7F])
        $0.raw(try hello.withUnsafeBytes { try deflated($0) })
      })
    packs.append(
      try make(
        "a size of twenty bytes of zeros", count: 1,
        stricter: "no git writes sizes of more than 64 bits, and C leaves open what they mean"
      ) {
        $0.raw(
          [0xB0 | UInt8(hello.count & 0xF), 0x80 | UInt8(hello.count >> 4)] + [UInt8](repeating: 0x80, count: 20) + [0])
        $0.raw(try hello.withUnsafeBytes { try deflated($0) })
      })
    packs.append(try make("a commit that is text", count: 1) { try $0.object(1, hello) })
    packs.append(try make("a tree that is text", count: 1) { try $0.object(2, hello) })
    packs.append(try make("a tag that is text", count: 1) { try $0.object(4, hello) })
    packs.append(try make("an empty commit", count: 1) { try $0.object(1, []) })
    packs.append(try make("an empty tag", count: 1) { try $0.object(4, []) })
    packs.append(try make("an empty blob", count: 1) { try $0.object(3, []) })
    return packs
  }

  // MARK: Streams of zlib

  static func streams() throws -> [EvilPack] {
    let good = try hello.withUnsafeBytes { try deflated($0) }
    func one(_ name: String, _ stream: [UInt8]) -> EvilPack {
      make(name, count: 1) {
        $0.raw([0xB0 | UInt8(hello.count & 0xF), UInt8(hello.count >> 4)])
        $0.raw(stream)
      }
    }
    let adler = Array(good.suffix(4))
    let stored: [UInt8] = [0x78, 0x01, 1, UInt8(hello.count), 0, ~UInt8(hello.count), 0xFF] + hello + adler
    let empty: [UInt8] = [0, 0, 0, 0xFF, 0xFF]
    let many = (0..<50_000).flatMap { _ in empty }
    return [
      one("wrong adler-32", good.dropLast() + [good[good.count - 1] ^ 1]),
      one("no adler-32", good.dropLast(4)),
      one("asks for a dictionary of zlib's", [0x78, 0xBB, 0, 0, 0, 1] + good.dropFirst(2)),
      one("another method than deflate", [0x77, 0x85] + good.dropFirst(2)),
      one("wrong check of zlib's head", [0x78, 0x02] + good.dropFirst(2)),
      one("no zlib head", Array(good.dropFirst(2))),
      one("stored, not deflated", stored),
      one("the smallest window", [0x08, 0x1D] + stored.dropFirst(2)),
      one("a window beyond the largest", [0x88, 0x1C] + stored.dropFirst(2)),
      one("50,000 empty blocks before the data", [0x78, 0x01] + many + stored.dropFirst(2)),
      one("stored with a wrong length", Array(stored.prefix(5)) + [0, 0] + hello + adler),
      one("a block of the reserved type", [0x78, 0x01, 7] + adler),
      one("zeros", [UInt8](repeating: 0, count: 40)),
      one("a stream twice", good + good),
    ]
  }

  // MARK: Where deltas find their base

  static func offsets() throws -> [EvilPack] {
    let copy = deltaSize(hello.count) + deltaSize(hello.count + 1) + [0x90, UInt8(hello.count), 1, 0x61]
    var packs = try [0, 1, 3, 11, 12, 13, 1000, 1 << 40, Int.max >> 8].map { less in
      try make("a base \(less) bytes off", count: 2) {
        try $0.object(3, hello)
        try $0.object(6, copy, base: PackBuilder.distance(less))
      }
    }
    packs.append(
      try make("a distance with no end", count: 2) {
        try $0.object(3, hello)
        try $0.object(6, copy, base: [UInt8](repeating: 0xFF, count: 30) + [0x7F])
      })
    packs.append(
      try make("a distance that wraps to the base", count: 2) {
        try $0.object(3, hello)
        // 2^64 more than the right one, in ten bytes.
        try $0.object(
          6, copy, base: [0x80, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, 0xFE, UInt8($0.offset - 12) & 0x7F])
      })
    packs.append(try make("a delta first", count: 1) { try $0.object(6, copy, base: PackBuilder.distance(12)) })
    packs.append(
      try make("a base, and a delta that makes it again", count: 2) {
        try $0.object(3, hello)
        let distance = $0.offset - 12
        try $0.object(
          6, deltaSize(hello.count) + deltaSize(hello.count) + [0x90, UInt8(hello.count)],
          base: PackBuilder.distance(distance))
      })
    return packs
  }

  // MARK: What deltas do

  static func deltas() throws -> [EvilPack] {
    let size = UInt8(hello.count)
    let list: [(String, [UInt8])] = [
      ("empty", []), ("of a size only", [size]), ("of sizes only", [size, 1]), ("that makes nothing", [size, 0]),
      ("for a smaller base", [size - 1, 1, 1, 0x61]), ("for a larger base", [size + 1, 1, 1, 0x61]),
      ("that copies from behind the base", [size, 1, 0x91, size, 1]),
      ("that copies beyond the base", [size, 2, 0x91, size - 1, 2]),
      ("that copies 16 MiB", [size, 1, 0xF0, 0xFF, 0xFF, 0xFF]),
      ("that copies from 4 GiB", [size, 1, 0x9F, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
      ("with the reserved instruction", [size, 1, 0, 1, 0x61]), ("that makes less than it says", [size, 5, 1, 0x61]),
      ("that makes more than it says", [size, 1, 2, 0x61, 0x62]),
      ("that inserts more than it holds", [size, 127, 127, 0x61]),
      ("cut short in a copy", [size, 3, 0x93, 1]), ("with bytes behind its result", [size, 1, 1, 0x61, 1, 0x62]),
      ("with a zero behind its result", [size, 1, 1, 0x61, 0]), ("of one inserted byte", [size, 1, 1, 0x61]),
      ("that copies a default of 64 KiB", [size, 0x80, 0x80, 4, 0x80]),
      ("with a size of many zeros", [size | 0x80, 0x80, 0x80, 0, 1, 1, 0x61]),
      ("with a size with no end", [UInt8](repeating: 0xFF, count: 40)),
      ("that says 2^63 bytes", [size] + [UInt8](repeating: 0x80, count: 9) + [1, 1, 0x61]),
      ("that says 2^40 bytes", [size] + deltaSize(1 << 40) + [1, 0x61]),
      ("with a size of twelve bytes of zeros", [size | 0x80] + [UInt8](repeating: 0x80, count: 11) + [0, 1, 1, 0x61]),
    ]
    var packs = try list.map { name, delta in
      try make("a delta \(name)", count: 2) {
        try $0.object(3, hello)
        let distance = $0.offset - 12
        try $0.object(6, delta, base: PackBuilder.distance(distance))
      }
    }
    packs.append(
      try make("a delta on a tree that makes '..'", count: 2) {
        let tree = FsckObjects.tree([("100644", Array("ab".utf8))])
        try $0.object(2, tree)
        let distance = $0.offset - 12
        let evil = FsckObjects.tree([("100644", Array("..".utf8))])
        try $0.object(
          6, deltaSize(tree.count) + deltaSize(evil.count) + [UInt8(evil.count)] + evil,
          base: PackBuilder.distance(distance))
      })
    return packs
  }
}
