import CDeflate
import Crypto
import Linux

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

/// One object, deflated as git does by default.
func deflated(_ data: UnsafeRawBufferPointer) throws -> [UInt8] { try Compressor(level: 6).deflate(data) }
