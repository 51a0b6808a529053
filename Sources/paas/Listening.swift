import Glibc
import Linux
import Platform

/// A bound and listening TCP socket.
struct Listening: Sendable {
  let descriptor: Int32
  /// With the port that was picked when 0 was asked.
  let address: Address

  /// Parses `ADDR:PORT`, `[v6]:PORT` or `:PORT` (all interfaces).
  static func parse(_ text: String, option: String) throws(StartError) -> Address {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65535).contains(port)
    else {
      throw StartError(
        "\(option) '\(printable(text))' is not ADDRESS:PORT", next: "for example: \(option) 127.0.0.1:8080")
    }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    return Address(host: host, port: port)
  }

  /// Binds and listens. An empty host is every interface, IPv4 and IPv6 where there is one. `patience` is how long a
  /// port may stay in use by a process that is known to be leaving it.
  static func tcp(_ address: Address, option: String, backlog: Int32 = 4096, patience: Duration = .zero)
    throws(StartError) -> Listening
  {
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let host = address.host.isEmpty ? (Files.exists("/proc/net/if_inet6") ? "::" : "0.0.0.0") : address.host
    let result = getaddrinfo(host, String(address.port), &hints, &found)
    guard result == 0, let first = found else {
      throw StartError("\(option) \(address): \(String(cString: gai_strerror(result)))")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw StartError(SystemError("make a socket for \(option) \(address)").message) }
    var one: Int32 = 1
    var zero: Int32 = 0
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    if first.pointee.ai_family == AF_INET6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &zero, 4) }
    guard bindAndListen(descriptor, first.pointee, backlog, until: .now + patience) else {
      let number = errno
      close(descriptor)
      if number == EADDRINUSE {
        throw StartError(
          "port \(address.port) is already in use (\(option) \(address))",
          next: "stop what uses it, or choose another: \(option) \(address.host):0 picks a free one")
      }
      throw StartError(SystemError("listen on \(option) \(address)", number).message)
    }
    return Listening(
      descriptor: descriptor, address: Address(host: address.host, port: port(of: descriptor) ?? address.port))
  }

  /// `false` with `errno` set. A port in use is tried again until the deadline.
  private static func bindAndListen(
    _ descriptor: Int32, _ address: addrinfo, _ backlog: Int32, until deadline: ContinuousClock.Instant
  ) -> Bool {
    while bind(descriptor, address.ai_addr, address.ai_addrlen) != 0 {
      guard errno == EADDRINUSE, ContinuousClock.now < deadline else { return false }
      _ = poll(nil, 0, 20)
    }
    return listen(descriptor, backlog) == 0
  }

  /// The port a socket is bound to.
  static func port(of descriptor: Int32) -> Int? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard result == 0 else { return nil }
    // sin_port and sin6_port lie at the same offset.
    return withUnsafeBytes(of: &storage) { Int($0[2]) << 8 | Int($0[3]) }
  }

  /// A listening unix socket at a path, mode 0600; what lay there before is removed (the caller holds the lock).
  static func unix(_ path: String) throws(StartError) -> Int32 {
    unlink(path)
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0, withUnixAddress(path, { bind(descriptor, $0, $1) }) == 0, chmod(path, 0o600) == 0,
      listen(descriptor, 16) == 0
    else { throw StartError(SystemError("listen on '\(path)'").message) }
    return descriptor
  }

  /// A connection to a listening unix socket; `nil` when nobody listens.
  static func connectUnix(_ path: String) -> Int32? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    if withUnixAddress(path, { connect(descriptor, $0, $1) }) == 0 { return descriptor }
    close(descriptor)
    return nil
  }
}

/// Calls with the socket address of a path of at most 107 bytes; a longer one is cut (DataDirectory refuses those).
private func withUnixAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
  }
}
