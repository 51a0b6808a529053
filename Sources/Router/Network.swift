import Glibc

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

  init?(_ text: String) {
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
