import Linux
import Platform
import Testing

@testable import GitReceiver

@Suite("Deltas on objects that only the repository has")
struct GitThinPackTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func id(_ data: [UInt8], _ kind: ObjectKind = .blob) throws -> ObjectID {
    try data.withUnsafeBytes { try hash($0, kind: kind) }
  }

  /// A tree with one file of that name, whose blob is a delta: all of `base`, which the repository has, and `more`.
  private func push(_ name: String, base: String, more: String) throws -> PackContents {
    let (base, more) = (Array(base.utf8), Array(more.utf8))
    var pack = PackBuilder(count: 2)
    let delta =
      deltaSize(base.count) + deltaSize(base.count + more.count) + [
        0xB0, UInt8(base.count & 0xFF), UInt8(base.count >> 8),
      ]
      + [UInt8(more.count)] + more
    try pack.object(7, delta, base: id(base).bytes)
    try pack.object(2, Array("100644 \(name)\0".utf8) + id(base + more).bytes)
    let known = try id(base)
    let indexer = PackIndexer { $0 == known ? (.blob, base) : nil }
    let target = try directory.directory("packs-\(UInt32.random(in: 0 ... .max))")
    return try indexer.index(ClientInput(MemoryTransport(pack.finished)), into: target)
  }

  @Test("a small pack on large objects of the repository is refused when it would be too large with them")
  func completion() async throws {
    // No deflating makes these smaller, and the larger one is written in another way than the other.
    let bases = [600_000, 3 << 20].map { count in (0..<count).map { _ in UInt8.random(in: 0 ... .max) } }
    var pack = PackBuilder(count: UInt32(bases.count) + 1)
    for base in bases {
      // The first 16 bytes of it.
      try pack.object(7, deltaSize(base.count) + deltaSize(16) + [0x90, 16], base: id(base).bytes)
    }
    try pack.object(3, [1])
    let known = Dictionary(uniqueKeysWithValues: try bases.map { (try id($0), $0) })
    func index(_ bytes: UInt64, _ name: String) throws -> String {
      var limits = PackLimits()
      limits.packBytes = bytes
      let target = try directory.directory(name)
      let indexer = PackIndexer(limits: limits) { id in known[id].map { (.blob, $0) } }
      _ = try indexer.index(ClientInput(MemoryTransport(pack.finished)), into: target)
      return target
    }
    let target = try index(4 << 20, "fits")
    let name = try #require(try Files.names(in: target).first { $0.hasSuffix(".pack") })
    _ = try await RealGit.workWithHistory(in: directory, commits: 1)("verify-pack", "\(target)/\(name)")
    let error = try #require(throws: GitError.self) { _ = try index(3 << 20, "does not") }
    #expect(error.kind == .limit && error.message.contains("PAAS_PUSH_PACK_BYTES"))
  }

  @Test("an attack in .gitmodules is seen although its blob is a delta on one of the repository")
  func modules() throws {
    let good = "[submodule \"a\"]\n\tpath = a\n\turl = https://example.org/a.git\n"
    let error = try #require(throws: GitError.self) {
      _ = try push(".gitmodules", base: good, more: "[submodule \"b\"]\n\tpath = b\n\turl = --upload-pack=evil\n")
    }
    #expect(error.message.contains("gitmodulesUrl"))
    let fine = try push(".gitmodules", base: good, more: "[submodule \"b\"]\n\tpath = b\n\turl = ../b.git\n")
    #expect(fine.count == 2)
  }

  @Test("a .gitattributes that grew by a line is taken")
  func attributes() throws {
    let contents = try push(".gitattributes", base: "*.png binary\n*.jpg binary\n", more: "*.gif binary\n")
    #expect(contents.count == 2)
  }

  @Test("a small pack that unfolds to gigabytes is refused before anything is made of it")
  func unfolding() throws {
    let size = 64 << 20
    var pack = PackBuilder(count: 40)
    let start = pack.offset
    try pack.object(3, [UInt8](repeating: 0, count: size))
    for number in 1..<40 {
      // All of the first one, 16 MiB at a time, and a byte.
      var delta = deltaSize(size) + deltaSize(size + 1)
      for offset in stride(from: 0, to: size, by: 0xFF_0000) {
        let length = min(0xFF_0000, size - offset)
        delta +=
          [0xFF] + (0..<4).map { UInt8(offset >> (8 * $0) & 0xFF) } + (0..<3).map { UInt8(length >> (8 * $0) & 0xFF) }
      }
      let distance = pack.offset - start
      try pack.object(6, delta + [1, UInt8(number)], base: PackBuilder.distance(distance))
    }
    let error = try #require(throws: GitError.self) { _ = try indexed(pack.finished, in: directory) }
    #expect(error.kind == .limit && error.message.contains("PAAS_PUSH_INFLATED_BYTES"))
  }

  @Test("reading the same objects again and again ends at a limit")
  func again() throws {
    // Every tree names another delta of one chain `.gitmodules`, so that each has to be made from the chain's start.
    var pack = PackBuilder(count: 401)
    var data = Array(repeating: UInt8(ascii: "\n"), count: 500_000)
    var last = pack.offset
    try pack.object(3, data)
    for _ in 0..<200 {
      let delta =
        deltaSize(data.count) + deltaSize(data.count + 1)
        + [0xF0] + (0..<3).map { UInt8(data.count >> (8 * $0) & 0xFF) } + [1, 10]
      let here = pack.offset
      try pack.object(6, delta, base: PackBuilder.distance(here - last))
      last = here
      data.append(10)
      try pack.object(2, Array("100644 .gitmodules\0".utf8) + id(data).bytes)
    }
    let error = try #require(throws: GitError.self) { _ = try indexed(pack.finished, in: directory) }
    #expect(error.kind == .limit && error.message.contains("PAAS_PUSH_REMADE_BYTES"))
  }
}
