import Glibc
import Linux

/// Standard input, output and error as a client's stream: how git speaks to a program it has started.
public final class DescriptorTransport: GitTransport {
  private let input: Int32
  private let output: Int32
  private let errors: Int32

  /// The descriptors stay the caller's.
  public init(input: Int32 = 0, output: Int32 = 1, errors: Int32 = 2) {
    self.input = input
    self.output = output
    self.errors = errors
  }

  public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try checked("read from the client") { Glibc.read(input, buffer.baseAddress, buffer.count) }
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    var offset = 0
    while offset < bytes.count {
      offset += try checked("write to the client") {
        Glibc.write(output, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
      }
    }
  }

  public func writeError(_ bytes: [UInt8]) throws {
    try Files.writeAll(bytes, to: errors, name: "standard error")
  }

  /// The other end of what we write to is closed.
  public var isClosed: Bool {
    var waiting = pollfd(fd: output, events: 0, revents: 0)
    return poll(&waiting, 1, 0) > 0 && waiting.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
  }
}
