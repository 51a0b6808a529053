import Glibc

/// What the client sends, behind one buffer that packet lines and the pack share.
final class ClientInput {
  private let transport: any GitTransport
  private let buffer: UnsafeMutableRawBufferPointer
  private var start = 0
  private var end = 0

  /// `capacity` is the buffer's size in bytes.
  init(_ transport: any GitTransport, capacity: Int = 256 << 10) {
    self.transport = transport
    buffer = .allocate(byteCount: max(capacity, 256), alignment: 16)
  }

  deinit { buffer.deallocate() }

  /// Bytes that have arrived and are not used; valid until the next call of ``fill()`` or ``more()``.
  var available: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[start..<end]) }

  /// Bytes of the buffer.
  var capacity: Int { buffer.count }

  /// Marks bytes of ``available`` as used.
  func consume(_ count: Int) { start = min(end, start + count) }

  /// Waits for more bytes when none is left. `false` at the end of the stream.
  func fill() throws -> Bool { start < end ? true : try more() }

  /// Waits for more bytes behind those of ``available``. `false` at the end of the stream, and when the buffer is full.
  func more() throws -> Bool {
    if start == end {
      start = 0
      end = 0
    } else if start > 0, buffer.count - end < buffer.count / 2 {
      buffer.copyMemory(from: available)
      end -= start
      start = 0
    }
    guard end < buffer.count else { return false }
    let count = try transport.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[end...]))
    end += count
    return count > 0
  }

  /// Exactly `count` bytes. Throws ``GitError`` with kind `disconnected` when the stream ends first.
  func bytes(_ count: Int) throws -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    while result.count < count {
      guard try fill() else { throw GitError(.disconnected, "the client went away in the middle of a packet") }
      let piece = available.prefix(count - result.count)
      result.append(contentsOf: piece)
      consume(piece.count)
    }
    return result
  }

  /// The next packet; `nil` when the stream ends before it.
  func packet() throws -> PktLine? {
    guard try fill() else { return nil }
    let header = try bytes(PktLine.headerLength)
    guard let length = try PktLine.dataLength(header: header) else { return .flush }
    return .data(try bytes(length))
  }

  /// Reads and forgets what comes until the client closes its side, `limit` bytes at most.
  func drain(limit: Int) {
    var left = limit
    while left > 0 {
      // A client that fails while we throw its bytes away has nothing more to be told.
      guard let more = try? fill(), more else { return }
      left -= available.count
      consume(available.count)
    }
  }
}
