import CDeflate
import CZlib
import Crypto
import Glibc
import Linux

/// Takes a pack from the client byte by byte: keeps it in a file, hashes it, and inflates as it goes, because only
/// inflating tells where an object, and the pack, ends. Reads nothing beyond the pack's end.
final class PackReceiver {
  private let input: ClientInput
  private let file: Int32
  private let limits: PackLimits
  private var pending: [UInt8] = []
  private var hash = Insecure.SHA1()
  private var stream = z_stream()

  /// Bytes of the pack so far.
  private(set) var offset: UInt64 = 0
  /// CRC-32 of what was taken since ``startChecksum()``.
  private(set) var checksum: UInt32 = 0

  /// The file stays the caller's. Throws ``GitError`` when zlib has no memory.
  init(_ input: ClientInput, file: Int32, limits: PackLimits) throws {
    self.input = input
    self.file = file
    self.limits = limits
    guard paas_inflate_init(&stream) == Z_OK else { throw GitError(.internalError, "no memory to inflate with") }
  }

  deinit { inflateEnd(&stream) }

  func startChecksum() { checksum = 0 }

  /// The next byte.
  func byte() throws -> UInt8 {
    try need()
    let byte = input.available[0]
    try take(1)
    return byte
  }

  /// The next few bytes.
  func bytes(_ count: Int) throws -> [UInt8] {
    var result: [UInt8] = []
    for _ in 0..<count { result.append(try byte()) }
    return result
  }

  /// Inflates one zlib stream that must hold exactly `size` bytes; the caller has checked `size` against its limits.
  func inflate(size: Int) throws -> [UInt8] {
    guard inflateReset(&stream) == Z_OK else { throw GitError(.internalError, "cannot reset zlib") }
    // One byte more than announced, so that a stream that goes on is seen.
    return try [UInt8](unsafeUninitializedCapacity: size + 1) { output, count in
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(size + 1)
      while try inflateStep() {}
      count = size + 1 - Int(stream.avail_out)
      guard count == size else {
        throw GitError(.badObjects, "an object at byte \(offset) of the pack is not as large as it says")
      }
    }
  }

  /// One step of inflating; `false` at the stream's end.
  private func inflateStep() throws -> Bool {
    try need()
    let available = input.available
    stream.next_in = UnsafeMutablePointer(
      mutating: available.bindMemory(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(available.count)
    let result = CZlib.inflate(&stream, Z_NO_FLUSH)
    try take(available.count - Int(stream.avail_in))
    switch result {
    case Z_STREAM_END: return false
    case Z_OK where stream.avail_out > 0: return true
    case Z_OK, Z_BUF_ERROR:
      // The output is full: larger than announced, or only the stream's own end is missing.
      if stream.avail_out == 0 {
        throw GitError(.badObjects, "an object at byte \(offset) of the pack is larger than it says")
      }
      return true
    default: throw GitError(.badObjects, "the pack is damaged at byte \(offset): zlib cannot read it")
    }
  }

  /// The 20 bytes after the last object must be the hash of all before. They are not written to the file.
  /// Returns the hash. Throws ``GitError``.
  func finish() throws -> [UInt8] {
    let computed = Array(hash.finalize())
    var announced: [UInt8] = []
    for _ in 0..<ObjectID.length {
      try need()
      announced.append(input.available[0])
      input.consume(1)
    }
    guard computed == announced else {
      throw GitError(.badObjects, "the pack's checksum is wrong; it was damaged on its way")
    }
    try flush()
    return computed
  }

  private func need() throws {
    if try !input.fill() { throw GitError(.disconnected, "the pack ends early, after \(offset) bytes") }
  }

  private func take(_ count: Int) throws {
    guard count > 0 else { return }
    offset += UInt64(count)
    guard offset <= limits.packBytes else {
      throw GitError(
        .limit, "the pack is larger than \(limits.packBytes >> 20) MiB",
        next: "keep large files out of the repository, or push the history in smaller steps")
    }
    let piece = UnsafeRawBufferPointer(rebasing: input.available[0..<count])
    hash.update(bufferPointer: piece)
    checksum = libdeflate_crc32(checksum, piece.baseAddress, piece.count)
    pending.append(contentsOf: piece)
    input.consume(count)
    if pending.count >= 256 << 10 { try flush() }
  }

  private func flush() throws {
    try Files.writeAll(pending, to: file, name: "quarantined pack")
    pending.removeAll(keepingCapacity: true)
  }
}
