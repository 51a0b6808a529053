@testable import GitReceiver

// The attacks that lie in the objects, and in what they refer to.
extension EvilPack {
  private static func copying(_ base: [UInt8], adding byte: UInt8) -> [UInt8] {
    deltaSize(base.count) + deltaSize(base.count + 1) + [
      0xB0, UInt8(base.count & 0xFF), UInt8(base.count >> 8), 1, byte,
    ]
  }

  /// A delta that makes exactly `target`, by inserting it.
  private static func making(_ target: [UInt8], from base: [UInt8]) -> [UInt8] {
    deltaSize(base.count) + deltaSize(target.count) + (target.isEmpty ? [] : [UInt8(target.count)] + target)
  }

  // MARK: Bases by id

  static func references() throws -> [EvilPack] {
    let blob = FsckObjects.blob
    let other = FsckObjects.other
    let missing = ObjectID([9]).bytes
    let result = FsckObjects.id(.blob, hello + [0x61])
    return [
      try make("a delta on nothing", count: 1) { try $0.object(7, copying(hello, adding: 1), base: missing) },
      try make("two deltas on each other", count: 2) {
        try $0.object(7, copying(hello, adding: 1), base: ObjectID([1]).bytes)
        try $0.object(7, copying(hello, adding: 2), base: ObjectID([2]).bytes)
      },
      try make("a delta on the null id", count: 1) {
        try $0.object(7, copying(hello, adding: 1), base: [UInt8](repeating: 0, count: 20))
      },
      try make("a base behind its delta", count: 2) {
        try $0.object(7, copying(hello, adding: 0x61), base: FsckObjects.id(.blob, hello))
        try $0.object(3, hello)
      },
      try make("a base behind its delta that is a delta itself", count: 3) {
        try $0.object(7, copying(hello + [0x61], adding: 0x62), base: result)
        try $0.object(7, copying(hello, adding: 0x61), base: FsckObjects.id(.blob, hello))
        try $0.object(3, hello)
      },
      try make("the same base twice", count: 3) {
        try $0.object(3, hello)
        try $0.object(3, hello)
        try $0.object(7, copying(hello, adding: 0x61), base: FsckObjects.id(.blob, hello))
      },
      try make("the same delta twice", count: 3) {
        try $0.object(3, hello)
        for _ in 0..<2 { try $0.object(7, copying(hello, adding: 0x61), base: FsckObjects.id(.blob, hello)) }
      },
      try make("a base that only the repository has", count: 1) {
        try $0.object(7, copying(blob, adding: 0x61), base: FsckObjects.blobID)
      },
      try make("a base that the repository has, and the pack", count: 2) {
        try $0.object(7, copying(blob, adding: 0x61), base: FsckObjects.blobID)
        try $0.object(3, blob)
      },
      try make("a delta that makes its own base, which only the repository has", count: 1) {
        try $0.object(7, making(blob, from: blob), base: FsckObjects.blobID)
      },
      try make("two deltas that make each other's base, which only the repository has", count: 2) {
        try $0.object(7, making(other, from: blob), base: FsckObjects.blobID)
        try $0.object(7, making(blob, from: other), base: FsckObjects.id(.blob, other))
      },
      try make("an object that the repository has", count: 1) { try $0.object(3, blob) },
      try make("a tree's delta on a blob of the repository", count: 1) {
        try $0.object(7, making([], from: FsckObjects.commit), base: FsckObjects.commitID)
      },
      try make("5,000 deltas on one base of the repository", count: 5000) {
        for number in 0..<5000 {
          let text = blob + Array("\(number)".utf8)
          try $0.object(7, making(text, from: blob), base: FsckObjects.blobID)
        }
      },
      try make("20,000 missing bases", count: 20_000) {
        for number in 0..<20_000 {
          try $0.object(7, [20, 1, 1, 0x61], base: FsckObjects.id(.blob, Array("\(number)".utf8)))
        }
      },
    ]
  }

  // MARK: Bombs

  static func bombs() throws -> [EvilPack] {
    let zeros = [UInt8](repeating: 0, count: 0x10000)
    func delta(copies: Int) -> [UInt8] {
      deltaSize(zeros.count) + deltaSize(zeros.count * copies) + [UInt8](repeating: 0x80, count: copies)
    }
    func chain(_ length: Int) throws -> EvilPack {
      try make(
        "a chain of \(length) deltas", count: UInt32(length + 1), stricter: length > 4096 ? "limit of depth" : nil
      ) {
        var last = $0.offset
        try $0.object(3, hello)
        for number in 0..<length {
          let here = $0.offset
          let digits = Array(String(number + 1_000_000).utf8)
          let size = number == 0 ? hello.count : digits.count
          try $0.object(
            6, [UInt8(size), UInt8(digits.count), UInt8(digits.count)] + digits, base: PackBuilder.distance(here - last)
          )
          last = here
        }
      }
    }
    return [
      try make("a delta that makes 1 GiB of 64 KiB", count: 2, stricter: "limit of an object's size") {
        try $0.object(3, zeros)
        let distance = $0.offset - 12
        try $0.object(6, delta(copies: 1 << 14), base: PackBuilder.distance(distance))
      },
      try make("a delta that makes 48 MiB of 64 KiB", count: 2) {
        try $0.object(3, zeros)
        let distance = $0.offset - 12
        try $0.object(6, delta(copies: 768), base: PackBuilder.distance(distance))
      },
      try make("20 deltas that make 8 MiB each", count: 21) {
        try $0.object(3, zeros)
        for number in 0..<20 {
          let distance = $0.offset - 12
          let size = zeros.count * 128 + 1
          try $0.object(
            6, deltaSize(zeros.count) + deltaSize(size) + [UInt8](repeating: 0x80, count: 128) + [1, UInt8(number)],
            base: PackBuilder.distance(distance))
        }
      },
      try make("48 MiB in 48 KiB of deflate", count: 1) { try $0.object(3, [UInt8](repeating: 0, count: 48 << 20)) },
      try chain(3000), try chain(5000), try treeBomb(), try wideTree(), try longModules(),
      try make("a commit of 20,000 parents", count: 1) {
        let parent = "parent \(ObjectID(FsckObjects.commitID))\n"
        let person = "A <a@b.c> 1 +0000\n"
        try $0.object(
          1,
          Array(
            "tree \(FsckObjects.emptyTree)\n\(String(repeating: parent, count: 20_000))author \(person)committer \(person)"
              .utf8))
      },
      try make("a tree of names that each begin the next", count: 1) {
        try $0.object(2, FsckObjects.tree((1...2000).map { ("100644", [UInt8](repeating: 0x61, count: $0)) }))
      },
    ]
  }

  /// Ten entries that are one tree of ten entries that are one tree…: 10^12 files in 400 bytes.
  private static func treeBomb() throws -> EvilPack {
    try make("a tree of 10^12 files", count: 12) {
      var content = FsckObjects.tree((0..<10).map { ("100644", Array("\($0)".utf8)) })
      for _ in 0..<12 {
        try $0.object(2, content)
        let id = FsckObjects.id(.tree, content)
        content = (0..<10).flatMap { FsckObjects.entry("40000", Array("\($0)".utf8), id) }
      }
    }
  }

  private static func wideTree() throws -> EvilPack {
    try make("a tree of 100,000 missing files", count: 1) {
      try $0.object(
        2,
        (100_000..<200_000).flatMap {
          FsckObjects.entry("100644", Array("\($0)".utf8), ObjectID([1, 2, 3, 4] + Array("\($0)".utf8)).bytes)
        })
    }
  }

  private static func longModules() throws -> EvilPack {
    let text = Array((0..<20_000).map { "[submodule \"\($0)\"]\n\turl = https://h/%61\n" }.joined().utf8)
    return try make("a .gitmodules of 20,000 submodules", count: 2) {
      try $0.object(3, text)
      try $0.object(2, FsckObjects.entry("100644", Array(".gitmodules".utf8), FsckObjects.id(.blob, text)))
    }
  }

  // MARK: Trees

  static func trees() throws -> [EvilPack] {
    var packs: [EvilPack] = []
    for name in [
      "..", ".", ".git", ".GIT", "git~1", ".git ", ".g\u{200C}it", "a/b", "", ".git::$INDEX_ALLOCATION", "a\\.git",
      ".git\u{FEFF}",
    ] {
      for mode in ["100644", "40000"] {
        let tree = FsckObjects.tree([(mode, Array(name.utf8))])
        packs.append(try make("a tree with '\(name)' of mode \(mode)", count: 1) { try $0.object(2, tree) })
      }
    }
    for name in [".gitmodules", "GITMOD~1", ".gitmodules ", "~1000000"] {
      packs.append(
        try make("a symbolic link '\(name)'", count: 1) {
          try $0.object(2, FsckObjects.tree([("120000", Array(name.utf8))]))
        })
      packs.append(
        try make("'\(name)' is a bad one of the repository's", count: 1) {
          try $0.object(2, FsckObjects.entry("100644", Array(name.utf8), FsckObjects.id(.blob, evilModules)))
        })
    }
    let same = FsckObjects.tree([("100644", Array("a".utf8)), ("100644", Array("b".utf8))])
    let unsorted = FsckObjects.tree([("100644", Array("b".utf8)), ("100644", Array("a".utf8))])
    let twice = FsckObjects.tree([
      ("100644", Array("a".utf8)), ("100644", Array("a.b".utf8)), ("40000", Array("a".utf8)),
    ])
    packs += [
      try make("an unsorted tree", count: 1) { try $0.object(2, unsorted) },
      try make("a file and a directory of one name", count: 1) { try $0.object(2, twice) },
      try make("a delta that swaps a tree's entries", count: 2) {
        try $0.object(2, same)
        let distance = $0.offset - 12
        let half = UInt8(same.count / 2)
        try $0.object(
          6, deltaSize(same.count) + deltaSize(same.count) + [0x91, half, half, 0x90, half],
          base: PackBuilder.distance(distance))
      },
      try make("a delta that repeats a tree's entry", count: 2) {
        try $0.object(2, same)
        let distance = $0.offset - 12
        let half = UInt8(same.count / 2)
        try $0.object(
          6, deltaSize(same.count) + deltaSize(same.count) + [0x90, half, 0x90, half],
          base: PackBuilder.distance(distance))
      },
      try make("a setuid file, a device and a pipe", count: 1) {
        try $0.object(2, FsckObjects.tree([("104755", [0x61]), ("20666", [0x62]), ("10644", [0x63])]))
      },
      try make("a name of 5,000 bytes", count: 1, stricter: "no file system takes it; git refuses it since 2.43") {
        try $0.object(2, FsckObjects.tree([("100644", [UInt8](repeating: 0x61, count: 5000))]))
      },
    ]
    return packs
  }

  // MARK: Links

  static func links() throws -> [EvilPack] {
    let missing = ObjectID([9]).bytes
    let person = "A <a@b.c> 1 +0000\n"
    func commit(_ tree: [UInt8]) -> [UInt8] {
      Array("tree \(ObjectID(tree))\nauthor \(person)committer \(person)\nx".utf8)
    }
    return [
      try make("a tree of a missing file", count: 1) { try $0.object(2, FsckObjects.entry("100644", [0x61], missing)) },
      try make("a tree of a file that is a tree", count: 1) {
        try $0.object(2, FsckObjects.entry("100644", [0x61], FsckObjects.treeID))
      },
      try make("a commit of a missing tree", count: 1) { try $0.object(1, commit(missing)) },
      try make("a commit of a blob", count: 1) { try $0.object(1, commit(FsckObjects.blobID)) },
      try make("a tag of a missing commit", count: 1) {
        try $0.object(4, Array("object \(ObjectID(missing))\ntype commit\ntag a\ntagger \(person)\n".utf8))
      },
      try make("a tag of a commit that is a blob", count: 1) {
        try $0.object(4, Array("object \(ObjectID(FsckObjects.blobID))\ntype commit\ntag a\ntagger \(person)\n".utf8))
      },
      try make("a submodule that is nowhere", count: 1) {
        try $0.object(2, FsckObjects.entry("160000", [0x61], missing))
      },
    ]
  }
}
