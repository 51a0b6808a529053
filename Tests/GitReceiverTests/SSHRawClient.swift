import CLinux
import Glibc
import Linux

@testable import GitReceiver

/// A TCP client that speaks as much SSH as a test types.
final class RawClient: Sendable {
  let socket: Int32

  /// To `host` and from `from`, addresses of the loopback network.
  init(_ port: UInt16, at host: UInt32 = 0x7F00_0001, from: UInt32 = 0x7F00_0001) throws {
    socket = try checked("make a socket") {
      Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }
    try Self.with(from, 0) { address, length in try checked("bind") { bind(socket, address, length) } }
    try Self.with(host, port) { address, length in try checked("connect") { connect(socket, address, length) } }
  }

  deinit { close(socket) }

  private static func with(
    _ host: UInt32, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Int32
  ) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = host.bigEndian
    _ = try withUnsafePointer(to: &address) {
      try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  /// Sends as much as the server takes; false when it has closed.
  @discardableResult
  func send(_ bytes: [UInt8]) async -> Bool {
    await blocking { [self] in
      var sent = 0
      while sent < bytes.count {
        let count = bytes[sent...].withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { return false }
        sent += count
      }
      return true
    }
  }

  func send(_ text: String) async { await send(Array(text.utf8)) }

  /// Everything until the server closes; `nil` when it does not within `seconds`.
  func readToEnd(seconds: Int = 300) async -> [UInt8]? {
    await blocking { [self] in
      var limit = timeval(tv_sec: seconds, tv_usec: 0)
      setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      var result: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = recv(socket, &buffer, buffer.count, 0)
        if count > 0 { result += buffer[..<count] }
        if count == 0 || (count < 0 && (errno == ECONNRESET || errno == EPIPE)) { return result }
        if count < 0, errno != EINTR { return nil }
      }
    }
  }
}
