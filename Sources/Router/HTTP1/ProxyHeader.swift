/// The PROXY protocol, versions 1 and 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt): who the client of a load
/// balancer is.
enum ProxyHeader {
  struct Source: Equatable {
    /// Address as text; `nil`: the balancer speaks for itself (LOCAL, UNKNOWN).
    var address: String?
    /// The port the client connected to.
    var port: Int?
    /// Bytes of the header.
    var length: Int
  }

  enum Outcome: Equatable {
    case incomplete
    case source(Source)
    case malformed
  }

  private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

  static func read(_ bytes: RawSpan) -> Outcome {
    let count = bytes.byteCount
    guard count > 0 else { return .incomplete }
    if bytes.byte(0) == 13 { return second(bytes) }
    return first(bytes)
  }

  /// `PROXY TCP4 192.0.2.1 192.0.2.2 5000 80`, 107 bytes at most.
  private static func first(_ bytes: RawSpan) -> Outcome {
    let wanted: StaticString = "PROXY "
    let count = bytes.byteCount
    for index in 0..<min(6, count) {
      guard unsafe bytes.byte(index) == wanted.utf8Start[index] else { return .malformed }
    }
    var end = 0
    while end < min(count, 107), bytes.byte(end) != 10 { end &+= 1 }
    guard end < min(count, 107), bytes.byte(end) == 10 else { return count < 107 ? .incomplete : .malformed }
    guard end > 6, bytes.byte(end &- 1) == 13 else { return .malformed }
    let words = bytes.text(ByteRange(start: 6, end: end &- 1)).split(separator: " ", omittingEmptySubsequences: false)
    if words.first == "UNKNOWN" { return .source(Source(address: nil, port: nil, length: end &+ 1)) }
    // What follows a NUL would not be seen by who parses the address, and would be written into fields.
    let isClean = words.dropFirst().allSatisfy { word in
      word.utf8.allSatisfy { ByteClass.isHost($0) || $0 == UInt8(ascii: ":") }
    }
    guard isClean, words.count == 5, words[0] == "TCP4" || words[0] == "TCP6",
      let address = IPAddress(String(words[1])),
      address.isIPv4 == (words[0] == "TCP4"), let port = UInt16(words[4]), UInt16(words[3]) != nil
    else { return .malformed }
    return .source(Source(address: String(words[1]), port: Int(port), length: end &+ 1))
  }

  private static func second(_ bytes: RawSpan) -> Outcome {
    let count = bytes.byteCount
    for index in 0..<min(12, count) {
      guard bytes.byte(index) == signature[index] else { return .malformed }
    }
    guard count >= 16 else { return .incomplete }
    let command = bytes.byte(12)
    guard command == 0x20 || command == 0x21 else { return .malformed }
    let length = 16 &+ Int(bytes.byte(14)) &* 256 &+ Int(bytes.byte(15))
    guard length <= 4096 else { return .malformed }
    guard count >= length else { return .incomplete }
    let family = bytes.byte(13)
    guard command == 0x21, family == 0x11 || family == 0x21 else {
      return .source(Source(address: nil, port: nil, length: length))
    }
    let width = family == 0x11 ? 4 : 16
    guard length >= 16 &+ width &* 2 &+ 4 else { return .malformed }
    let port = Int(bytes.byte(16 &+ width &* 2 &+ 2)) &* 256 &+ Int(bytes.byte(16 &+ width &* 2 &+ 3))
    return .source(Source(address: text(bytes, at: 16, width: width), port: port, length: length))
  }

  private static func text(_ bytes: RawSpan, at start: Int, width: Int) -> String {
    if width == 4 { return (0..<4).map { String(bytes.byte(start &+ $0)) }.joined(separator: ".") }
    return (0..<8).map { index in
      let word = Int(bytes.byte(start &+ index &* 2)) &* 256 &+ Int(bytes.byte(start &+ index &* 2 &+ 1))
      return String(word, radix: 16)
    }.joined(separator: ":")
  }
}
