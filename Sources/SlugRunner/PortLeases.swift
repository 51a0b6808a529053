import Glibc

/// Which ports are given out. A port comes back only when it is released, that is, when no router uses it any more.
/// The range lies below the kernel's own for outgoing connections (32768…), so it is not taken by accident.
struct PortLeases: Codable, Sendable, Equatable {
  static let range = 20_000...29_999

  private(set) var taken: Set<Int> = []
  /// Ports are given out in a circle, so that one that was just released rests for long.
  private var next: Int

  init(startingAt next: Int = Int.random(in: PortLeases.range)) {
    self.next = Self.range.contains(next) ? next : Self.range.lowerBound
  }

  /// The next port that is neither leased nor, as far as `isFree` can tell, in use; `nil` when all are.
  mutating func lease(isFree: (Int) -> Bool) -> Int? {
    for _ in Self.range {
      let port = next
      next = port == Self.range.upperBound ? Self.range.lowerBound : port + 1
      if !taken.contains(port), isFree(port) {
        taken.insert(port)
        return port
      }
    }
    return nil
  }

  /// Keeps a port that a living instance holds.
  mutating func keep(_ port: Int) { taken.insert(port) }

  mutating func release(_ port: Int) { taken.remove(port) }

  /// Whether nobody holds the port on any address of this machine, asked of the kernel by binding to it.
  static func isUnused(_ port: Int) -> Bool {
    bindable(AF_INET6, port) && bindable(AF_INET, port)
  }

  private static func bindable(_ family: Int32, _ port: Int) -> Bool {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return errno == EAFNOSUPPORT }
    defer { close(descriptor) }
    var only: Int32 = 1
    if family == AF_INET6 {
      setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, socklen_t(MemoryLayout<Int32>.size))
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = in_port_t(port).bigEndian
      return bindTo(descriptor, &address) || errno == EADDRNOTAVAIL
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    return bindTo(descriptor, &address)
  }

  private static func bindTo<Address>(_ descriptor: Int32, _ address: inout Address) -> Bool {
    withUnsafeBytes(of: &address) { bytes in
      guard let base = bytes.bindMemory(to: sockaddr.self).baseAddress else { return false }
      return bind(descriptor, base, socklen_t(bytes.count)) == 0
    }
  }
}
