import Glibc
import Linux
import NIOCore
import Synchronization

/// The bytes that can be read from a descriptor, until end of file. Each read happens on a thread of its own, and the
/// next one only when the connection has room, so a pipe's writer is slowed by a slow server.
struct DescriptorBytes: AsyncSequence, Sendable {
  typealias Element = ByteBuffer
  typealias Failure = any Error
  private let source: DescriptorSource

  /// Takes a duplicate of the descriptor. Throws ``SystemError``.
  init(_ descriptor: Int32) throws(SystemError) {
    source = DescriptorSource(
      owning: try checked("duplicate descriptor \(descriptor)") { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) })
  }

  /// Closes the duplicate, so that a pipe's writer sees EPIPE. AsyncHTTPClient 1.37 keeps the task that sends a body
  /// for ever when the server refuses it half-way, so the descriptor cannot wait for its last user.
  func cancel() { source.close() }

  struct Iterator: AsyncIteratorProtocol {
    fileprivate let source: DescriptorSource

    mutating func next() async throws -> ByteBuffer? {
      let source = source
      let bytes = try await blocking { try source.read() }
      return bytes.isEmpty ? nil : ByteBuffer(bytes: bytes)
    }
  }

  func makeAsyncIterator() -> Iterator { Iterator(source: source) }
}

/// Owns a descriptor that one thread reads while another may close it.
private final class DescriptorSource: Sendable {
  private struct State {
    var isReading = false
    var isClosed = false
  }

  private let descriptor: Int32
  private let state = Mutex(State())

  init(owning descriptor: Int32) { self.descriptor = descriptor }

  deinit { close() }

  /// Empty at end of file, and when the source was closed.
  func read() throws(SystemError) -> [UInt8] {
    let closed = state.withLock { state in
      state.isReading = !state.isClosed
      return state.isClosed
    }
    if closed { return [] }
    defer {
      let closed = state.withLock { state in
        state.isReading = false
        return state.isClosed
      }
      if closed { Glibc.close(descriptor) }
    }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    let count = try checked("read descriptor \(descriptor)") { Glibc.read(descriptor, &buffer, buffer.count) }
    return Array(buffer[0..<count])
  }

  /// At once, or after the read that is going on.
  func close() {
    let free = state.withLock { state in
      let free = !state.isClosed && !state.isReading
      state.isClosed = true
      return free
    }
    if free { Glibc.close(descriptor) }
  }
}

/// Any sequence of byte arrays, as AsyncHTTPClient wants it.
struct AnyBytes: AsyncSequence, Sendable {
  typealias Element = ByteBuffer
  typealias Failure = any Error
  private let base: any AsyncSequence<[UInt8], any Error> & Sendable

  init(_ base: any AsyncSequence<[UInt8], any Error> & Sendable) { self.base = base }

  struct Iterator: AsyncIteratorProtocol {
    var base: any AsyncIteratorProtocol<[UInt8], any Error>

    mutating func next() async throws -> ByteBuffer? {
      try await base.next(isolation: nil).map { ByteBuffer(bytes: $0) }
    }
  }

  func makeAsyncIterator() -> Iterator {
    func iterator(of sequence: some AsyncSequence<[UInt8], any Error>) -> any AsyncIteratorProtocol<[UInt8], any Error>
    {
      sequence.makeAsyncIterator()
    }
    return Iterator(base: iterator(of: base))
  }
}
