import Glibc
import Linux
import NIOCore

/// The bytes that can be read from a descriptor, until end of file. Each read happens on a thread of its own, and the
/// next one only when the connection has room, so a pipe's writer is slowed by a slow server.
struct DescriptorBytes: AsyncSequence, Sendable {
  typealias Element = ByteBuffer
  typealias Failure = any Error

  /// Closes the descriptor with its last user; the pipe's writer then sees EPIPE.
  fileprivate final class Owner: Sendable {
    let descriptor: Int32
    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }
  }

  private let owner: Owner

  /// Takes a duplicate of the descriptor. Throws ``SystemError``.
  init(_ descriptor: Int32) throws(SystemError) {
    owner = Owner(try checked("duplicate descriptor \(descriptor)") { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) })
  }

  struct Iterator: AsyncIteratorProtocol {
    fileprivate let owner: Owner

    mutating func next() async throws -> ByteBuffer? {
      let owner = owner
      let bytes = try await blocking { () throws -> [UInt8] in
        try [UInt8](unsafeUninitializedCapacity: 128 << 10) { buffer, count in
          count = try checked("read descriptor \(owner.descriptor)") {
            read(owner.descriptor, buffer.baseAddress, buffer.count)
          }
        }
      }
      return bytes.isEmpty ? nil : ByteBuffer(bytes: bytes)
    }
  }

  func makeAsyncIterator() -> Iterator { Iterator(owner: owner) }
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
    func iterator(of sequence: some AsyncSequence<[UInt8], any Error>) -> any AsyncIteratorProtocol<[UInt8], any Error> {
      sequence.makeAsyncIterator()
    }
    return Iterator(base: iterator(of: base))
  }
}
