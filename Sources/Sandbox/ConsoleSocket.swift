import CLinux
import Glibc
import Linux

/// Where the runtime hands over the near side of a sandbox's terminal (OCI runtime command line, `--console-socket`).
/// It lies in a directory of its own below /tmp, because a socket's path ends at 107 bytes and a data directory's may
/// not.
final class ConsoleSocket: Sendable {
  let path: String
  private let directory: String
  private let listener: Int32

  init() throws {
    var template = Array("/tmp/paas-console-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("make a directory below '/tmp'") }
    directory = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    path = directory + "/socket"
    listener = try checked("make a socket") {
      socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    _ = try withUnsafeBytes(of: &address) { bytes in
      try checked("bind '\(path)'") {
        guard let base = bytes.bindMemory(to: sockaddr.self).baseAddress else { return Int32(-1) }
        return bind(listener, base, socklen_t(bytes.count))
      }
    }
    try checked("listen on '\(path)'") { listen(listener, 1) }
  }

  deinit {
    close(listener)
    unlink(path)
    rmdir(directory)
  }

  /// The terminal, once it has been handed over; `nil` when that does not happen within the time.
  func terminal(within limit: Duration) async -> Int32? {
    let milliseconds = Int32(clamping: limit.components.seconds * 1000)
    return await blocking { [self] in
      var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, milliseconds) > 0 else { return nil }
      let connection = paas_accept(listener)
      guard connection >= 0 else { return nil }
      defer { close(connection) }
      var received: Int32 = -1
      return paas_receive_fds(connection, &received, 1) == 1 ? received : nil
    }
  }
}
