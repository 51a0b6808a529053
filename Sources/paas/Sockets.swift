import CLinux
import Glibc
import Linux
import Platform

/// Every listening socket of a server, bound before anything else starts, so that a port in use stops it early.
struct Sockets: Sendable {
  var ssh: Listening
  var http: Listening
  /// The routers of an earlier server that live; the first, if it hands its socket over, listens where this server
  /// wants to.
  var living: [RouterProcess.Living]

  static func open(_ configuration: ServerConfiguration, users: RoleUsers) throws(StartError) -> Sockets {
    let ssh = try Listening.tcp(configuration.ssh, option: "--ssh")
    let found = RouterProcess.living(in: configuration.data, users: users, settings: configuration.router)
    for extra in found.dropFirst() { if let descriptor = extra.http { close(descriptor) } }
    if let first = found.first, let descriptor = first.http, wants(configuration.http, first.record.http) {
      let http = Listening(descriptor: descriptor, address: first.record.http)
      return Sockets(ssh: ssh, http: http, living: found)
    }
    // Either they are ending already, or the operator asked for another address: they drain while a new one starts.
    if let descriptor = found.first?.http { close(descriptor) }
    for old in found { old.identity.signal(SIGTERM) }
    let leaving = found.map { living in
      var living = living
      living.http = nil
      return living
    }
    let http = try Listening.tcp(configuration.http, option: "--http", patience: found.isEmpty ? .zero : .seconds(5))
    return Sockets(ssh: ssh, http: http, living: leaving)
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
    limitReceiving(from: connection, seconds: 5)
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
