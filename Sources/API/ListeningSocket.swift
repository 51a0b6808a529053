import Glibc

public import Linux
public import Platform

/// A socket that listens before anything is served on it, so that its address is known and held.
public struct ListeningSocket: Sendable {
  public let descriptor: Int32
  /// With the port that the kernel picked for port 0; a unix socket has none.
  public let address: Address?

  /// A TCP socket on a numeric IPv4 or IPv6 address. Throws ``APIStartError`` when the address cannot be had.
  public static func tcp(_ address: Address, option: String) throws(APIStartError) -> ListeningSocket {
    do throws(SystemError) {
      return try openTCP(address)
    } catch {
      throw .cannotListen(on: address.description, reason: error, option: option)
    }
  }

  /// A unix socket with this mode, and owner and group where they are given. A socket file that a dead server left is
  /// replaced: the caller holds the data directory's lock. Throws ``APIStartError``.
  public static func unix(_ path: String, mode: UInt32, owner: UInt32? = nil, group: UInt32? = nil)
    throws(APIStartError) -> ListeningSocket
  {
    guard path.utf8.count <= 107 else { throw .pathTooLong(path) }
    do throws(SystemError) {
      return ListeningSocket(
        descriptor: try openUnix(path, mode: mode, owner: owner, group: group), address: nil)
    } catch {
      throw .cannotListen(on: path, reason: error, option: "--data")
    }
  }

  private static func openTCP(_ wanted: Address) throws(SystemError) -> ListeningSocket {
    var storage = sockaddr_storage()
    guard let length = fill(&storage, with: wanted) else { throw SystemError("read the address '\(wanted)'", EINVAL) }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = try checked("make a socket") { socket(Int32(storage.ss_family), type, 0) }
    do throws(SystemError) {
      var on: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
      try checked("bind '\(wanted)'") { withAddress(&storage) { bind(descriptor, $0, length) } }
      try checked("listen on '\(wanted)'") { listen(descriptor, 1024) }
      var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
      try checked("ask for the port") { withAddress(&storage) { getsockname(descriptor, $0, &size) } }
    } catch {
      close(descriptor)
      throw error
    }
    return ListeningSocket(descriptor: descriptor, address: Address(host: wanted.host, port: port(of: storage)))
  }

  private static func openUnix(_ path: String, mode: UInt32, owner: UInt32?, group: UInt32?) throws(SystemError)
    -> Int32
  {
    var storage = sockaddr_storage()
    storage.ss_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &storage) { $0[2...].copyBytes(from: path.utf8) }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = try checked("make a socket") { socket(AF_UNIX, type, 0) }
    do throws(SystemError) {
      if unlink(path) != 0, errno != ENOENT { throw SystemError("remove the old socket '\(path)'") }
      // The mode counts before the name exists: fchmod on an unbound socket carries over to the file (Linux).
      try checked("set the mode of '\(path)'") { fchmod(descriptor, mode) }
      let length = socklen_t(2 + path.utf8.count + 1)
      try checked("bind '\(path)'") { withAddress(&storage) { bind(descriptor, $0, length) } }
      try checked("set the owner of '\(path)'") { lchown(path, owner ?? getuid(), group ?? getgid()) }
      try checked("set the mode of '\(path)'") { chmod(path, mode) }
      try checked("listen on '\(path)'") { listen(descriptor, 1024) }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// The length of what was filled in; `nil` when the host is no numeric address.
  private static func fill(_ storage: inout sockaddr_storage, with address: Address) -> socklen_t? {
    guard let port = UInt16(exactly: address.port) else { return nil }
    var four = in_addr()
    if inet_pton(AF_INET, address.host, &four) == 1 {
      let value = sockaddr_in(
        sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian, sin_addr: four, sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: value, as: sockaddr_in.self) }
      return socklen_t(MemoryLayout<sockaddr_in>.size)
    }
    var six = in6_addr()
    guard inet_pton(AF_INET6, address.host, &six) == 1 else { return nil }
    let value = sockaddr_in6(
      sin6_family: sa_family_t(AF_INET6), sin6_port: port.bigEndian, sin6_flowinfo: 0, sin6_addr: six, sin6_scope_id: 0)
    withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: value, as: sockaddr_in6.self) }
    return socklen_t(MemoryLayout<sockaddr_in6>.size)
  }

  private static func withAddress<Result>(
    _ storage: inout sockaddr_storage, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
  ) -> Result {
    withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
    }
  }

  /// The port stands at the same place for both families.
  private static func port(of storage: sockaddr_storage) -> Int {
    withUnsafeBytes(of: storage) { Int($0[2]) << 8 | Int($0[3]) }
  }
}

/// Why the API cannot start.
public enum APIStartError: Error, Explained, Equatable {
  /// `option` is the flag that chooses another place.
  case cannotListen(on: String, reason: SystemError, option: String)
  case pathTooLong(String)

  public var message: String {
    switch self {
    case .cannotListen(let place, let reason, let option) where reason.number == EADDRINUSE:
      "port \(place.split(separator: ":").last ?? "?") is already in use (\(option) \(place))"
    case .cannotListen(let place, let reason, _): "cannot listen on '\(place)': \(reason.message)"
    case .pathTooLong(let path): "the path '\(path)' is too long for a unix socket, which takes 107 bytes"
    }
  }

  public var nextStep: String? {
    switch self {
    case .cannotListen(_, let reason, let option) where reason.number == EADDRINUSE:
      "stop what uses it, or choose another with \(option)"
    case .cannotListen(_, _, let option): "choose another with \(option)"
    case .pathTooLong: "choose a shorter data directory with --data"
    }
  }
}
