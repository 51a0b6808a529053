/// The four forms of a request target (RFC 9112 section 3.2).
enum RequestTarget {
  /// Brings the head's target into origin-form or asterisk-form, or refuses it.
  static func judge(_ bytes: RawSpan, _ head: RequestHead) -> RequestParser.Outcome {
    let target = head.target
    guard target.end <= bytes.byteCount, !target.isEmpty else { return .failed(.target) }
    let first = bytes.byte(target.start)
    if first == UInt8(ascii: "/") { return .complete }
    if first == UInt8(ascii: "*"), target.count == 1, bytes.isExactly(head.method, "OPTIONS") { return .complete }
    let scheme: Int
    if bytes.equals(ByteRange(start: target.start, end: min(target.start &+ 7, target.end)), "http://") {
      scheme = 7
    } else if bytes.equals(ByteRange(start: target.start, end: min(target.start &+ 8, target.end)), "https://") {
      scheme = 8
    } else {
      return .failed(.target)
    }
    return absolute(bytes, from: target.start &+ scheme, head)
  }

  /// An absolute-form must say what `Host` says: RFC 9112 section 3.2.2 lets it win, and that is how two servers come
  /// to see two hosts.
  private static func absolute(_ bytes: RawSpan, from start: Int, _ head: RequestHead) -> RequestParser.Outcome {
    let end = head.target.end
    var offset = start
    while offset < end, bytes.byte(offset) != UInt8(ascii: "/"), bytes.byte(offset) != UInt8(ascii: "?") {
      offset &+= 1
    }
    let authority = ByteRange(start: start, end: offset)
    guard !authority.isEmpty else { return .failed(.target) }
    if head.host.isEmpty, head.isOld { head.host = authority }
    guard NameComparison.equal(bytes, authority, head.host) else { return .failed(.disagreeingHost) }
    head.authority = authority
    head.target = ByteRange(start: offset, end: end)
    head.isAsterisk = head.target.isEmpty && bytes.isExactly(head.method, "OPTIONS")
    return .complete
  }
}
