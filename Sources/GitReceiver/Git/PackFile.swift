import CDeflate
import Crypto
import Glibc
import Linux

/// A pack on disk while it is indexed: reads entries again, appends, rewrites its head.
final class PackFile {
  private let descriptor: Int32
  private let decompressor: OpaquePointer

  /// The file stays the caller's.
  init(descriptor: Int32) throws {
    guard let decompressor = libdeflate_alloc_decompressor() else {
      throw GitError(.internalError, "no memory to inflate with")
    }
    self.descriptor = descriptor
    self.decompressor = decompressor
  }

  deinit { libdeflate_free_decompressor(decompressor) }

  /// Inflates the entry whose zlib stream lies in `range` of the file to exactly `size` bytes.
  func inflate(_ range: Range<UInt64>, size: Int) throws -> [UInt8] {
    let stored = try read(range)
    return try [UInt8](unsafeUninitializedCapacity: size) { output, count in
      let result = stored.withUnsafeBytes {
        libdeflate_zlib_decompress(decompressor, $0.baseAddress, $0.count, output.baseAddress, size, &count)
      }
      guard result == LIBDEFLATE_SUCCESS, count == size else {
        throw GitError(.internalError, "the quarantined pack changed under our hands")
      }
    }
  }

  private func read(_ range: Range<UInt64>) throws -> [UInt8] {
    let length = range.count
    return try [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
      while count < length {
        let read = try checked("read the quarantined pack") {
          pread(
            descriptor, buffer.baseAddress.map { $0 + count }, length - count, off_t(range.lowerBound) + off_t(count))
        }
        guard read > 0 else { throw GitError(.internalError, "the quarantined pack became shorter") }
        count += read
      }
    }
  }

  func write(_ bytes: [UInt8], at offset: UInt64) throws {
    try checked("seek in the quarantined pack") { lseek(descriptor, off_t(offset), SEEK_SET) }
    try Files.writeAll(bytes, to: descriptor, name: "quarantined pack")
  }

  /// The SHA-1 of the first `length` bytes.
  func hash(length: UInt64) throws -> [UInt8] {
    var hash = Insecure.SHA1()
    var offset: UInt64 = 0
    while offset < length {
      let end = min(length, offset + 1 << 20)
      hash.update(data: try read(offset..<end))
      offset = end
    }
    return Array(hash.finalize())
  }
}

/// Deflates whole objects for the end of a thin pack.
func deflated(_ data: UnsafeRawBufferPointer) throws -> [UInt8] {
  guard let compressor = libdeflate_alloc_compressor(6) else {
    throw GitError(.internalError, "no memory to deflate with")
  }
  defer { libdeflate_free_compressor(compressor) }
  let bound = libdeflate_zlib_compress_bound(compressor, data.count)
  return try [UInt8](unsafeUninitializedCapacity: bound) { output, count in
    count = libdeflate_zlib_compress(compressor, data.baseAddress, data.count, output.baseAddress, bound)
    guard count > 0 else { throw GitError(.internalError, "cannot deflate an object") }
  }
}
