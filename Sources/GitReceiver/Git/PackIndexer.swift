import CDeflate
import Crypto
import Glibc
import Linux

/// Takes a pack from a client into a directory, under limits, with every object checked; completes a thin pack from
/// the repository; and writes its index. Our own, because libgit2's must not meet a stranger's pack.
///
/// Two passes: while the pack arrives only the ends of its objects are found (``PackScan``); then several threads make
/// every object (``PackResolver``).
struct PackIndexer {
  var limits: PackLimits
  var rules: FsckRules
  /// Threads of the second pass.
  var threads: Int
  /// Who may be in the second pass at the same time.
  var turns: IndexerTurns
  /// Called once when others are in the second pass, and this pack has to wait.
  var waiting: () -> Void = {}
  /// Reads an object of the repository; `nil` when it is not there.
  let external: (ObjectID) throws -> ReadObject?

  init(
    limits: PackLimits = PackLimits(), rules: FsckRules = .strict, threads: Int = Threads.cores,
    turns: IndexerTurns = .shared, external: @escaping (ObjectID) throws -> ReadObject? = { _ in nil }
  ) {
    self.limits = limits
    self.rules = rules
    self.threads = threads
    self.turns = turns
    self.external = external
  }

  /// Makes `pack-HASH.pack` and `pack-HASH.idx` in the directory; nothing for a pack without objects. The files are
  /// not synced. Throws ``GitError``; the caller then removes the directory.
  func index(_ input: ClientInput, into directory: String) throws -> PackContents {
    var limits = limits
    limits.deadline = .now + limits.time
    let path = "\(directory)/incoming.pack"
    let descriptor = try checked("create '\(path)'") {
      open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o444)
    }
    defer { close(descriptor) }
    let scan = try PackScan(try PackReceiver(input, file: descriptor, limits: limits), limits: limits)
    guard scan.table.count > 0 else {
      unlink(path)
      return PackContents()
    }
    let isSmall = scan.table.count < 1000 && scan.endOffset < 1 << 20
    return try turns.take(free: isSmall, deadline: limits.deadline, waiting: waiting) {
      try resolve(scan, path, descriptor, directory, limits, threads: isSmall ? 1 : threads)
    }
  }

  private func resolve(
    _ scan: PackScan, _ path: String, _ descriptor: Int32, _ directory: String, _ limits: PackLimits, threads: Int
  ) throws -> PackContents {
    let pack = try MappedPack(descriptor: descriptor, count: Int(scan.endOffset))
    let resolver = try PackResolver(scan, pack: pack, limits: limits, directory: directory)
    let workers = try (0..<max(threads, 1)).map { _ in try PackWorker(resolver, check: ObjectCheck(rules: rules)) }
    try resolver.resolve(workers)
    let bases = try resolver.resolveThin(workers, external)
    let table = scan.table
    let order = try table.sorted()
    for (one, next) in zip(order.elements, order.elements.dropFirst())
    where table.ids[Int(one)] == table.ids[Int(next)] {
      throw GitError(
        .badObjects, "object \(table.ids[Int(one)]) is in the pack twice", next: "run `git gc` and push again")
    }
    let check = try finish(workers, ObjectReader(table, pack: pack, order: order, limits: limits, external: external))
    let contents = PackContents(table, order: order, links: check.links)
    let entries = order.elements.lazy.map { index in
      PackIndexWriter.Entry(
        id: table.ids[Int(index)], offset: table.offsets[Int(index)], checksum: table.checksums[Int(index)])
    }
    let missing = bases.filter { contents.kind(of: $0) == nil }
    if missing.isEmpty {
      try Files.writeAll(at: scan.endOffset, scan.trailer, to: descriptor)
      try name(path, in: directory, trailer: scan.trailer) { try PackIndexWriter.write(entries, pack: $0, to: $1) }
    } else {
      var thin = ThinPack(descriptor: descriptor, end: scan.endOffset, external: external)
      let (all, trailer) = try thin.complete(Array(entries), with: missing)
      try name(path, in: directory, trailer: trailer) { try PackIndexWriter.write(all, pack: $0, to: $1) }
    }
    return contents
  }

  /// Joins what the threads have seen, and looks at the files that say how git behaves.
  private func finish(_ workers: [PackWorker], _ reader: ObjectReader) throws -> ObjectCheck {
    guard let check = workers.first?.check else { return ObjectCheck(rules: rules) }
    for worker in workers.dropFirst() {
      try check.merge(worker.check)
      worker.check.links.removeAll()
    }
    try check.finish { try reader.object($0) }
    return check
  }

  private func name(
    _ path: String, in directory: String, trailer: [UInt8], writeIndex: ([UInt8], String) throws -> Void
  ) throws {
    let name = "\(directory)/pack-\(ObjectID(trailer))"
    try writeIndex(trailer, "\(name).idx")
    try checked("rename '\(path)'") { rename(path, "\(name).pack") }
  }
}

/// Completes a pack that left out the bases of its deltas, as git's `index-pack --fix-thin` does.
struct ThinPack {
  let descriptor: Int32
  private(set) var end: UInt64
  let external: (ObjectID) throws -> ReadObject?

  init(descriptor: Int32, end: UInt64, external: @escaping (ObjectID) throws -> ReadObject?) {
    self.descriptor = descriptor
    self.end = end
    self.external = external
  }

  /// Appends the bases and the checksum. Returns all entries, sorted, and the checksum.
  mutating func complete(
    _ entries: [PackIndexWriter.Entry], with bases: [ObjectID]
  ) throws -> ([PackIndexWriter.Entry], [UInt8]) {
    var entries = entries
    var pending: [UInt8] = []
    let compressor = try Compressor()
    for id in bases {
      guard let object = try external(id) else { throw GitError(.internalError, "object \(id) disappeared") }
      let header = PackEntryType.header(object.kind, size: object.data.count)
      let stored = try header + object.data.withUnsafeBytes { try compressor.deflate($0) }
      let checksum = stored.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
      entries.append(PackIndexWriter.Entry(id: id, offset: end, checksum: checksum))
      pending += stored
      end += UInt64(stored.count)
      if pending.count > 1 << 20 {
        try Files.writeAll(at: end - UInt64(pending.count), pending, to: descriptor)
        pending.removeAll(keepingCapacity: true)
      }
    }
    try Files.writeAll(at: end - UInt64(pending.count), pending, to: descriptor)
    entries.sort { $0.id < $1.id }
    try Files.writeAll(
      at: 8, (0..<4).map { UInt8(truncatingIfNeeded: entries.count >> (24 - 8 * $0)) }, to: descriptor)
    let trailer = try hash()
    try Files.writeAll(at: end, trailer, to: descriptor)
    return (entries, trailer)
  }

  /// The SHA-1 of the whole file.
  private func hash() throws -> [UInt8] {
    let file = try MappedPack(descriptor: descriptor, count: Int(end))
    guard let bytes = file.bytes(0..<Int(end)) else { throw GitError(.internalError, "the pack became shorter") }
    var hash = Insecure.SHA1()
    hash.update(bufferPointer: bytes)
    return Array(hash.finalize())
  }
}

/// Deflates objects, one after the other.
final class Compressor {
  private let handle: OpaquePointer

  /// Level 1: what is written here is written once more by the next repack, and read more often than that.
  init(level: Int32 = 1) throws(GitError) {
    guard let handle = libdeflate_alloc_compressor(level) else {
      throw GitError(.internalError, "no memory to deflate with")
    }
    self.handle = handle
  }

  deinit { libdeflate_free_compressor(handle) }

  func deflate(_ data: UnsafeRawBufferPointer) throws -> [UInt8] {
    let bound = libdeflate_zlib_compress_bound(handle, data.count)
    return try [UInt8](unsafeUninitializedCapacity: bound) { output, count in
      count = libdeflate_zlib_compress(handle, data.baseAddress, data.count, output.baseAddress, bound)
      guard count > 0 else { throw GitError(.internalError, "cannot deflate an object") }
    }
  }
}
