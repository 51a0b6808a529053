import Glibc
import NIOCore

/// A network of IP addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
struct Network: Sendable, Equatable {
  /// IPv4 as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), so that there is one kind.
  private let prefix: IPAddress
  private let length: Int

  /// `nil` for what is neither a network nor an address.
  init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
    let widest = address.isIPv4 ? 32 : 128
    var bits = widest
    if parts.count == 2 {
      guard let given = Int(parts[1]), (0...widest).contains(given) else { return nil }
      bits = given
    }
    length = address.isIPv4 ? bits + 96 : bits
    prefix = address
  }

  func contains(_ address: IPAddress) -> Bool {
    let (high, low) = (prefix.high ^ address.high, prefix.low ^ address.low)
    if length == 0 { return true }
    if length <= 64 { return high >> UInt64(64 - length) == 0 }
    return high == 0 && (length == 64 || low >> UInt64(128 - length) == 0)
  }
}

/// An address as two words, most significant first; IPv4 in its IPv6-mapped form.
struct IPAddress: Sendable, Equatable, Hashable {
  let high: UInt64
  let low: UInt64

  var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// `192.0.2.1`, of an IPv4 address.
  var fourText: [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(15)
    for shift in stride(from: 24, through: 0, by: -8) {
      let byte = UInt8(truncatingIfNeeded: low &>> UInt64(shift))
      if byte >= 100 { text.append(0x30 &+ byte / 100) }
      if byte >= 10 { text.append(0x30 &+ byte / 10 % 10) }
      text.append(0x30 &+ byte % 10)
      if shift > 0 { text.append(UInt8(ascii: ".")) }
    }
    return text
  }

  init?(_ socket: SocketAddress) {
    guard case .v4(let four) = socket else {
      guard let text = socket.ipAddress else { return nil }
      self.init(text)
      return
    }
    let address = four.address
    let number = withUnsafeBytes(of: address) { $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self) }
    self.init(high: 0, low: 0xFFFF << 32 | UInt64(UInt32(bigEndian: number)))
  }

  init?(_ text: String) {
    // inet_pton reads up to a NUL, and what is behind it would be taken for a part of the address.
    guard !text.utf8.contains(0) else { return nil }
    var four: UInt32 = 0
    if inet_pton(AF_INET, text, &four) == 1 {
      self.init(high: 0, low: 0xFFFF << 32 | UInt64(UInt32(bigEndian: four)))
      return
    }
    var bytes = InlineArray<16, UInt8>(repeating: 0)
    let isSix = withUnsafeMutableBytes(of: &bytes) { inet_pton(AF_INET6, text, $0.baseAddress) == 1 }
    guard isSix else { return nil }
    var words: (UInt64, UInt64) = (0, 0)
    for index in 0..<8 { words.0 = words.0 << 8 | UInt64(bytes[index]) }
    for index in 8..<16 { words.1 = words.1 << 8 | UInt64(bytes[index]) }
    self.init(high: words.0, low: words.1)
  }
}

/// Who a request comes from, when proxies stand before the router.
enum ForwardedChain {
  /// The right-most address of an `X-Forwarded-For` chain that is no trusted proxy: everything left of it is hearsay.
  /// `nil`: there is none that can be read.
  static func client(_ chain: String, trusted: [Network]) -> IPAddress? {
    for part in chain.split(separator: ",").reversed() {
      var text = part.drop { $0 == " " || $0 == "\t" }
      while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
      guard let address = IPAddress(String(text)) else { return nil }
      if !trusted.contains(where: { $0.contains(address) }) { return address }
    }
    return nil
  }
}
