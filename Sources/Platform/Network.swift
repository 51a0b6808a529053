import Glibc

/// A network of clients: `192.0.2.0/24`, `2001:db8::/32`, or one address. Bits behind the prefix are cleared, and
/// a prefix of all bits left out, so that each network has one form (RFC 4632 section 3.1, RFC 5952).
public struct Network: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let isV6 = text.contains(":")
    let size = isV6 ? 16 : 4
    var bytes = [UInt8](repeating: 0, count: size)
    let family = isV6 ? AF_INET6 : AF_INET
    guard let address = parts.first, text.utf8.count <= 64, !text.utf8.contains(0),
      inet_pton(family, address, &bytes) == 1, let length = Self.length(parts.dropFirst().first, of: size * 8)
    else {
      throw NameError(
        "'\(printable(text))' is not a network or an address",
        next: "for example: 192.0.2.0/24, 2001:db8::/32, 198.51.100.7")
    }
    for index in 0..<size {
      let kept = min(8, max(0, length - index * 8))
      bytes[index] &= UInt8(truncatingIfNeeded: 0xFF00 >> kept)
    }
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil else {
      throw NameError("'\(printable(text))' is not a network or an address")
    }
    let shown = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    description = length == size * 8 ? shown : "\(shown)/\(length)"
  }

  private static func length(_ text: String?, of bits: Int) -> Int? {
    guard let text else { return bits }
    guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy(isDigit), let length = Int(text) else { return nil }
    return length <= bits ? length : nil
  }
}
