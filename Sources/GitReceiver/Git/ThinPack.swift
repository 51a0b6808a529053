import CDeflate
import Crypto
import Linux

/// Completes a pack that left out the bases of its deltas, as git's `index-pack --fix-thin` does.
struct ThinPack {
  let descriptor: Int32
  private(set) var end: UInt64
  private let limits: PackLimits
  private let pool: BufferPool
  private let external: ReadExternal
  /// What is to be written in front of ``end``: many small objects at one go.
  private var pending: [UInt8] = []

  /// `directory`: for large objects.
  init(
    descriptor: Int32, end: UInt64, limits: PackLimits, directory: String, external: @escaping ReadExternal
  ) {
    pool = BufferPool(directory: directory)
    self.descriptor = descriptor
    self.end = end
    self.limits = limits
    self.external = external
  }

  /// Appends the bases and the checksum. Returns all entries, sorted, and the checksum. Throws ``GitError`` of kind
  /// `limit` when the whole pack would be too large, or takes too long.
  mutating func complete(
    _ entries: [PackIndexWriter.Entry], with bases: [ObjectID]
  ) throws -> ([PackIndexWriter.Entry], [UInt8]) {
    var entries = entries
    let compressor = try Compressor()
    for id in bases {
      var header: [UInt8] = []
      var stored: WorkBuffer?
      let isThere = try external(id) { [pool] kind, data in
        header = PackEntryType.header(kind.rawValue, size: data.count)
        stored = try compressor.deflate(data, pool)
      }
      guard isThere, let stored else { throw GitError(.internalError, "object \(id) disappeared") }
      var checksum = header.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
      checksum = libdeflate_crc32(checksum, stored.bytes.baseAddress, stored.bytes.count)
      entries.append(PackIndexWriter.Entry(id: id, offset: end, checksum: checksum))
      try append(header, stored.bytes)
      pool.give(stored)
    }
    try flush()
    entries.sort { $0.id < $1.id }
    try Files.writeAll(
      at: 8, (0..<4).map { UInt8(truncatingIfNeeded: entries.count >> (24 - 8 * $0)) }, to: descriptor)
    let trailer = try hash()
    try Files.writeAll(at: end, trailer, to: descriptor)
    return (entries, trailer)
  }

  private mutating func append(_ header: [UInt8], _ stored: UnsafeRawBufferPointer) throws {
    try limits.checkTime()
    guard end + UInt64(header.count + stored.count) <= limits.packBytes else {
      throw limits.exceeded(
        .packBytes, "the pack with the objects that it builds on is too large",
        next: "push the history in smaller steps")
    }
    pending += header
    end += UInt64(header.count)
    if stored.count > 1 << 20 {
      try flush()
      try Files.writeAll(at: end, stored, to: descriptor)
    } else {
      pending += stored
    }
    end += UInt64(stored.count)
    if pending.count > 1 << 20 { try flush() }
  }

  private mutating func flush() throws(SystemError) {
    let bytes = pending
    pending = []
    // `end` counts a large object only after it is written.
    try Files.writeAll(at: end - UInt64(bytes.count), bytes, to: descriptor)
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
  fileprivate let handle: OpaquePointer

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

extension Compressor {
  /// The deflated bytes in a buffer, which may be a mapped one.
  func deflate(_ data: UnsafeRawBufferPointer, _ pool: BufferPool) throws -> WorkBuffer {
    let buffer = try pool.take(libdeflate_zlib_compress_bound(handle, data.count))
    let count = libdeflate_zlib_compress(
      handle, data.baseAddress, data.count, buffer.writable.baseAddress, buffer.count)
    guard count > 0 else { throw GitError(.internalError, "cannot deflate an object") }
    buffer.shrink(to: count)
    return buffer
  }
}

/// One object, deflated as git does by default.
func deflated(_ data: UnsafeRawBufferPointer) throws -> [UInt8] { try Compressor(level: 6).deflate(data) }
