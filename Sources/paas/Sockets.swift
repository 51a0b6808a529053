import CLinux
import Glibc
import Linux
import Platform

/// Every listening socket of a server, bound before anything else starts, so that a port in use stops it early.
struct Sockets: Sendable {
  var ssh: Listening
  var http: Listening
  /// The router of an earlier server, when it lives and listens where this server wants to.
  var living: RouterProcess.Record?

  static func open(_ configuration: ServerConfiguration) throws(StartError) -> Sockets {
    let ssh = try Listening.tcp(configuration.ssh, option: "--ssh")
    let found = RouterProcess.living(in: configuration.data)
    if let found, wants(configuration.http, found.record.http) {
      let http = Listening(descriptor: found.http, address: found.record.http)
      return Sockets(ssh: ssh, http: http, living: found.record)
    }
    if let found {
      // The operator asked for another address: the old router drains on its own while a new one starts.
      close(found.http)
      found.record.identity.signal(SIGTERM)
    }
    let http = try Listening.tcp(configuration.http, option: "--http", patience: found == nil ? .zero : .seconds(5))
    return Sockets(ssh: ssh, http: http, living: nil)
  }

  private static func wants(_ asked: Address, _ has: Address) -> Bool {
    asked.host == has.host && (asked.port == 0 || asked.port == has.port)
  }
}

/// Asks whether somebody answers at an address.
enum Probe {
  static func answers(_ address: Address, question: String, with start: String, within limit: Duration) async -> Bool {
    await blocking {
      let deadline = ContinuousClock.now + limit
      while ContinuousClock.now < deadline {
        if let answer = ask(address, question), answer.hasPrefix(start) { return true }
        _ = poll(nil, 0, 20)
      }
      return false
    }
  }

  private static func ask(_ address: Address, _ question: String) -> String? {
    let local = ["", "0.0.0.0", "::"].contains(address.host) ? "127.0.0.1" : address.host
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(local, String(address.port), &hints, &found) == 0, let first = found else { return nil }
    defer { freeaddrinfo(found) }
    let connection = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard connection >= 0 else { return nil }
    defer { close(connection) }
    var wait = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    guard connect(connection, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else { return nil }
    let bytes = Array(question.utf8)
    guard bytes.isEmpty || send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
      return nil
    }
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = recv(connection, &buffer, buffer.count, 0)
    return count > 0 ? String(decoding: buffer[0..<count], as: UTF8.self) : nil
  }
}
