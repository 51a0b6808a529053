/// The host a request is for, in the form of the routing table: lower case, without port or trailing dot.
struct HostName {
  /// Longest host that is looked at: 253 for a DNS name, and brackets.
  static let limit = 255

  private var bytes: InlineArray<256, UInt8> = .init(repeating: 0)
  private(set) var count = 0

  /// From a `Host` field or an authority (RFC 9110 section 7.2); `nil` for anything that cannot be a host. A name
  /// outside ASCII comes in its ASCII form from every client that follows RFC 5891, so other bytes are refused.
  init?(_ source: RawSpan, _ range: ByteRange) {
    guard !range.isEmpty, range.start >= 0, range.end <= source.byteCount else { return nil }
    if source.byte(range.start) == UInt8(ascii: "[") {
      guard takeAddress(source, range) else { return nil }
    } else {
      guard takeName(source, range) else { return nil }
    }
  }

  init?(_ text: String) {
    let bytes = Array(text.utf8)
    self.init(bytes.span.bytes, ByteRange(start: 0, end: bytes.count))
  }

  subscript(index: Int) -> UInt8 { bytes[index] }

  var text: String { String(decoding: (0..<count).map { bytes[$0] }, as: UTF8.self) }

  private mutating func takeName(_ source: RawSpan, _ range: ByteRange) -> Bool {
    var offset = range.start
    var lastDot = -1
    while offset < range.end {
      let byte = source.byte(offset)
      guard ByteClass.isHost(byte) else { break }
      guard count < Self.limit else { return false }
      if byte == UInt8(ascii: ".") {
        // No empty label.
        guard count &- lastDot > 1 else { return false }
        lastDot = count
      }
      bytes[count] = NameComparison.lower(byte)
      count &+= 1
      offset &+= 1
    }
    if count > 0, bytes[count &- 1] == UInt8(ascii: ".") { count &-= 1 }
    return count > 0 && Self.isPort(source, from: offset, to: range.end)
  }

  private mutating func takeAddress(_ source: RawSpan, _ range: ByteRange) -> Bool {
    var offset = range.start &+ 1
    bytes[0] = UInt8(ascii: "[")
    count = 1
    while offset < range.end, source.byte(offset) != UInt8(ascii: "]") {
      let byte = NameComparison.lower(source.byte(offset))
      let isDigit = ByteClass.isDigit(byte) || (97...102).contains(byte)
      guard isDigit || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "."), count < 50 else { return false }
      bytes[count] = byte
      count &+= 1
      offset &+= 1
    }
    guard offset < range.end, count > 1 else { return false }
    bytes[count] = UInt8(ascii: "]")
    count &+= 1
    return Self.isPort(source, from: offset &+ 1, to: range.end)
  }

  /// Nothing, or a colon with up to five digits.
  private static func isPort(_ source: RawSpan, from start: Int, to end: Int) -> Bool {
    guard start < end else { return true }
    guard source.byte(start) == UInt8(ascii: ":"), end &- start <= 6 else { return false }
    guard start &+ 1 < end else { return true }
    return RequestParser.number(source, ByteRange(start: start &+ 1, end: end)).map { $0 <= 65_535 } ?? false
  }
}
