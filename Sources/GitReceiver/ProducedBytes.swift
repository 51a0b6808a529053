import CLinux
import Glibc
import Linux
import Synchronization

/// What a producer writes to a descriptor on its own thread, as the body of a request. A producer that fails breaks the
/// body off instead of ending it, so half a tar never passes for a whole one.
final class ProducedBytes: AsyncSequence, Sendable {
  typealias Element = [UInt8]
  typealias Failure = any Error

  private struct State {
    var result: Result<Void, any Error>?
  }

  /// Sockets, because one side can be shut down under a thread that waits in it, which a pipe's cannot be closed.
  private let reading: Int32
  private let writing: Int32
  private let state = Mutex(State())
  private let done: Int32
  private let doneSignal: Int32

  /// Starts the producer. Throws ``SystemError``.
  init(_ produce: @escaping @Sendable (Int32) throws -> Void) throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("open a socket pair") { paas_socketpair(&ends) }
    (reading, writing) = (ends[0], ends[1])
    (done, doneSignal) = try pipe()
    startThread(stackSize: 1 << 20) { [self] in
      let result = Result { try produce(writing) }
      state.withLock { $0.result = result }
      shutdown(writing, Int32(SHUT_RDWR))
      var byte: UInt8 = 0
      write(doneSignal, &byte, 1)
    }
  }

  deinit { for descriptor in [reading, writing, done, doneSignal] { close(descriptor) } }

  /// After the request: stops a producer that is not through, waits for it, and says how it ended.
  func end() -> Result<Void, any Error> {
    shutdown(reading, Int32(SHUT_RDWR))
    var byte: UInt8 = 0
    while Glibc.read(done, &byte, 1) < 0, errno == EINTR {}
    return state.withLock { $0.result } ?? .success(())
  }

  struct Iterator: AsyncIteratorProtocol {
    fileprivate let source: ProducedBytes

    mutating func next() async throws -> [UInt8]? {
      let source = source
      return try await blocking { try source.read() }
    }
  }

  func makeAsyncIterator() -> Iterator { Iterator(source: self) }

  private func read() throws -> [UInt8]? {
    let bytes = try [UInt8](unsafeUninitializedCapacity: 128 << 10) { buffer, count in
      count = try checked("read the source tree's tar") { Glibc.read(reading, buffer.baseAddress, buffer.count) }
    }
    if !bytes.isEmpty { return bytes }
    try state.withLock { $0.result }?.get()
    return nil
  }
}
