/// The host a request is for, in the form of the routing table.
enum HostName {
  /// From a `Host` header or an authority (RFC 9110 section 7.2): the port and one trailing dot go, letters become
  /// small. `nil` for anything that cannot be a host.
  static func normalized(_ authority: some StringProtocol) -> String? {
    var bytes = Array(authority.utf8)
    guard bytes.count <= 300 else { return nil }
    if bytes.first == UInt8(ascii: "[") {
      guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
      guard isPort(bytes[(close + 1)...]) else { return nil }
      let inside = bytes[1..<close]
      guard !inside.isEmpty, inside.allSatisfy(isAddressByte) else { return nil }
      return String(decoding: bytes[...close], as: UTF8.self).lowercased()
    }
    if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
      guard isPort(bytes[colon...]) else { return nil }
      bytes.removeSubrange(colon...)
    }
    if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
    guard !bytes.isEmpty, bytes.allSatisfy(isNameByte) else { return nil }
    return String(decoding: bytes.map { (65...90).contains($0) ? $0 + 32 : $0 }, as: UTF8.self)
  }

  private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let first = bytes.first else { return true }
    return first == UInt8(ascii: ":") && bytes.count <= 6 && bytes.dropFirst().allSatisfy { (48...57).contains($0) }
  }

  private static func isAddressByte(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...102).contains(byte) || (65...70).contains(byte) || byte == UInt8(ascii: ":")
      || byte == UInt8(ascii: ".")
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (97...122).contains(byte) || (65...90).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
  }
}
