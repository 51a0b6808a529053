import CDeflate
import CZlib
import Crypto
import Glibc
import Linux

/// Takes a pack from the client as it comes: keeps it in a file, hashes it, and inflates as it goes, because only
/// inflating tells where an object, and the pack, ends. Uses nothing beyond the pack's end.
final class PackReceiver {
  private let input: ClientInput
  private let file: Int32
  private let limits: PackLimits
  private let decompressor: OpaquePointer
  private var stream = z_stream()
  private var hash = Insecure.SHA1()
  /// Takes what is inflated only to find its end.
  private var scratch = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  /// Bytes of `input` that are read, but not yet hashed and written.
  private var cursor = 0
  private var settled: UInt64 = 0
  private var checksum: UInt32 = 0
  /// Where in `input` the part of the object begins that ``checksum`` does not cover.
  private var unchecked = 0

  /// Bytes of the pack so far.
  var offset: UInt64 { settled + UInt64(cursor) }

  /// The file stays the caller's. Throws ``GitError`` when there is no memory to inflate with.
  init(_ input: ClientInput, file: Int32, limits: PackLimits) throws {
    self.input = input
    self.file = file
    self.limits = limits
    guard let decompressor = libdeflate_alloc_decompressor() else {
      throw GitError(.internalError, "no memory to inflate with")
    }
    self.decompressor = decompressor
    guard paas_inflate_init(&stream) == Z_OK else { throw GitError(.internalError, "no memory to inflate with") }
  }

  deinit {
    libdeflate_free_decompressor(decompressor)
    inflateEnd(&stream)
    scratch.deallocate()
  }

  func startChecksum() {
    checksum = 0
    unchecked = cursor
  }

  /// CRC-32 of what was read since ``startChecksum()``.
  func finishChecksum() -> UInt32 {
    coverChecksum()
    return checksum
  }

  /// The next byte.
  func byte() throws -> UInt8 {
    if cursor == input.available.count { try more() }
    defer { cursor += 1 }
    return input.available[cursor]
  }

  /// The next few bytes.
  func bytes(_ count: Int) throws -> [UInt8] {
    var result: [UInt8] = []
    for _ in 0..<count { result.append(try byte()) }
    return result
  }

  /// Waits until so much has come that most objects can be inflated at one go, as long as it must still come:
  /// `remaining` objects of nine bytes at least, and the pack's checksum.
  func prepare(remaining: Int) throws {
    let owed = remaining &* Self.smallestEntry &+ ObjectID.length
    while input.available.count - cursor < min(Self.comfort, input.capacity / 2, owed) { try more() }
  }

  private static let smallestEntry = 9
  private static let comfort = 64 << 10
}

// MARK: Inflating

extension PackReceiver {
  /// Goes over one zlib stream that must hold exactly `size` bytes; the caller has checked `size` against its limits.
  /// Calls `head` with the first bytes, if there is need for them at all: of a delta that is not large.
  func skip(size: Int, head: (UnsafeRawBufferPointer) throws -> Void) throws {
    if size <= PackLimits.largeObject, cursor < input.available.count, input.available[cursor] == 0x78,
      inflateAtOnce(size)
    {
      try head(UnsafeRawBufferPointer(rebasing: scratch[0..<size]))
    } else {
      try inflateStreaming(size)
    }
  }

  /// Says `false` for a stream that has not come whole, or is damaged: libdeflate cannot tell which, zlib can.
  private func inflateAtOnce(_ size: Int) -> Bool {
    if scratch.count <= size {
      scratch.deallocate()
      scratch = .allocate(byteCount: max(64 << 10, size + size / 2 + 1), alignment: 16)
    }
    let here = UnsafeRawBufferPointer(rebasing: input.available[cursor...])
    var used = 0
    var made = 0
    let result = libdeflate_zlib_decompress_ex(
      decompressor, here.baseAddress, here.count, scratch.baseAddress, size, &used, &made)
    guard result == LIBDEFLATE_SUCCESS, made == size, used <= here.count else { return false }
    cursor += used
    return true
  }

  private func inflateStreaming(_ size: Int) throws {
    guard inflateReset(&stream) == Z_OK else { throw GitError(.internalError, "cannot reset zlib") }
    let piece = 64 << 10
    if scratch.count < piece {
      scratch.deallocate()
      scratch = .allocate(byteCount: piece, alignment: 16)
    }
    var made = 0
    while true {
      // One byte more than announced, so that a stream that goes on is seen.
      let room = min(piece, size - made + 1)
      let (end, count) = try inflateStep(room)
      made += count
      guard made <= size else {
        throw GitError(.badObjects, "an object at byte \(offset) of the pack is larger than it says")
      }
      if end { break }
    }
    guard made == size else {
      throw GitError(.badObjects, "an object at byte \(offset) of the pack is not as large as it says")
    }
  }

  private func inflateStep(_ room: Int) throws -> (end: Bool, made: Int) {
    if cursor == input.available.count { try more() }
    let here = UnsafeRawBufferPointer(rebasing: input.available[cursor...])
    stream.next_in = UnsafeMutablePointer(mutating: here.bindMemory(to: UInt8.self).baseAddress)
    stream.avail_in = UInt32(here.count)
    stream.next_out = scratch.bindMemory(to: UInt8.self).baseAddress
    stream.avail_out = UInt32(room)
    let result = CZlib.inflate(&stream, Z_NO_FLUSH)
    cursor += here.count - Int(stream.avail_in)
    let made = room - Int(stream.avail_out)
    switch result {
    case Z_STREAM_END: return (true, made)
    case Z_OK: return (false, made)
    case Z_BUF_ERROR where stream.avail_in == 0: return (false, made)
    default: throw GitError(.badObjects, "the pack is damaged at byte \(offset): zlib cannot read it")
    }
  }
}

// MARK: Bytes

extension PackReceiver {
  /// The 20 bytes after the last object must be the hash of all before. They are not written to the file.
  /// Returns the hash. Throws ``GitError``.
  func finish() throws -> [UInt8] {
    while input.available.count - cursor < ObjectID.length { try more() }
    try settle()
    let computed = Array(hash.finalize())
    guard input.available.prefix(ObjectID.length).elementsEqual(computed) else {
      throw GitError(.badObjects, "the pack's checksum is wrong; it was damaged on its way")
    }
    input.consume(ObjectID.length)
    return computed
  }

  private func more() throws {
    try settle()
    guard try input.more() else {
      throw GitError(.disconnected, "the pack ends early, after \(settled + UInt64(input.available.count)) bytes")
    }
    guard settled + UInt64(input.available.count) <= limits.packBytes + UInt64(ObjectID.length) else {
      throw limits.exceeded(
        .packBytes, "the pack is too large", next: "keep large files out of the repository, or push in smaller steps")
    }
    try limits.checkTime()
  }

  /// Hashes and writes what has been read.
  private func settle() throws {
    guard cursor > 0 else { return }
    coverChecksum()
    let piece = UnsafeRawBufferPointer(rebasing: input.available[0..<cursor])
    hash.update(bufferPointer: piece)
    try Files.writeAll(piece, to: file, name: "quarantined pack")
    input.consume(cursor)
    settled += UInt64(cursor)
    cursor = 0
    unchecked = 0
  }

  private func coverChecksum() {
    let piece = UnsafeRawBufferPointer(rebasing: input.available[unchecked..<cursor])
    checksum = libdeflate_crc32(checksum, piece.baseAddress, piece.count)
    unchecked = cursor
  }
}
