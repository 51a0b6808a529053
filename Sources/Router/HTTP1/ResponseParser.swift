/// Reads a response's head in one pass. An instance that frames its message in two ways, or in none that can be told,
/// is not passed on (H17).
enum ResponseParser {
  enum Outcome: Equatable {
    case incomplete
    case complete
    case malformed
  }

  static func parse(_ bytes: RawSpan, limits: HeadLimits, into head: ResponseHead) -> Outcome {
    head.reset()
    var offset = 0
    switch statusLine(bytes, &offset, head) {
    case .complete: break
    case let other: return other
    }
    var fields = 0
    let fieldsStart = offset
    while true {
      switch FieldLine.read(bytes, at: offset) {
      case .incomplete: return bytes.byteCount > limits.bytes ? .malformed : .incomplete
      case .malformed: return .malformed
      case .end(let next):
        guard next <= limits.bytes, !(head.isChunked && head.contentLength != nil) else { return .malformed }
        head.length = next
        if head.nominates { dropNominated(bytes, from: fieldsStart, head) }
        return .complete
      case .line(let line):
        fields &+= 1
        guard fields <= limits.fields, take(line, of: bytes, from: offset, head) else { return .malformed }
        offset = line.next
      }
    }
  }

  private static func statusLine(_ bytes: RawSpan, _ offset: inout Int, _ head: ResponseHead) -> Outcome {
    let count = bytes.byteCount
    let wanted: StaticString = "HTTP/1."
    for index in 0..<7 {
      guard index < count else { return .incomplete }
      guard unsafe bytes.byte(index) == wanted.utf8Start[index] else { return .malformed }
    }
    // Not even a status without a reason; a line that has ended is none.
    guard count > 13 else { return bytes.hasLineFeed(from: 7) ? .malformed : .incomplete }
    let minor = bytes.byte(7)
    guard minor == UInt8(ascii: "0") || minor == UInt8(ascii: "1"), bytes.byte(8) == 0x20 else { return .malformed }
    head.minor = minor &- UInt8(ascii: "0")
    var status = 0
    for index in 9..<12 {
      let byte = bytes.byte(index)
      guard ByteClass.isDigit(byte) else { return .malformed }
      status = status &* 10 &+ Int(byte &- 0x30)
    }
    guard status >= 100, status < 600 else { return .malformed }
    head.status = status
    // The space before the reason is there even when the reason is not; senders forget it.
    let separator = bytes.byte(12)
    guard separator == 0x20 || separator == 13 else { return .malformed }
    offset = FieldLine.endOfText(bytes, from: 12)
    guard offset &+ 1 < count else {
      return offset == count || bytes.byte(offset) == 13 ? .incomplete : .malformed
    }
    guard bytes.byte(offset) == 13, bytes.byte(offset &+ 1) == 10 else { return .malformed }
    head.statusText = ByteRange(start: 9, end: offset)
    offset &+= 2
    return .complete
  }

  /// Files one field; false when the message cannot be passed on.
  private static func take(_ line: FieldLine, of bytes: RawSpan, from start: Int, _ head: ResponseHead) -> Bool {
    let name = FieldName.of(bytes, line.name)
    switch name {
    case .contentLength:
      guard head.contentLength == nil, let length = RequestParser.number(bytes, line.value) else { return false }
      head.contentLength = length
      head.lengthText = line.value
    case .transferEncoding:
      guard !head.isChunked, bytes.equals(line.value, "chunked") else { return false }
      head.isChunked = true
    case .connection: guard connection(line.value, of: bytes, head) else { return false }
    case .upgrade: head.upgrades.append(line.value)
    case .date: head.hasDate = true
    default: break
    }
    if !name.staysBehindInResponse { keep(line, of: bytes, from: start, head) }
    return true
  }

  private static func keep(_ line: FieldLine, of bytes: RawSpan, from start: Int, _ head: ResponseHead) {
    guard line.hasSpaceBeforeColon else { return head.keep(from: start, to: line.next) }
    // A proxy takes the space out (RFC 9112 section 5.1).
    head.keep(from: line.name.start, to: line.name.end)
    var colon = line.name.end
    while colon < bytes.byteCount, bytes.byte(colon) != UInt8(ascii: ":") { colon &+= 1 }
    head.keep(from: colon, to: line.next)
  }

  /// False: it names too many fields.
  private static func connection(_ value: ByteRange, of bytes: RawSpan, _ head: ResponseHead) -> Bool {
    head.connections.append(value)
    var tokens = FieldTokens(value)
    while let token = tokens.next(bytes) {
      head.nominations &+= 1
      guard head.nominations <= HeadLimits.nominations else { return false }
      if bytes.equals(token, "close") {
        head.closes = true
      } else if bytes.equals(token, "keep-alive") {
        head.keepsAlive = true
      } else if !bytes.equals(token, "upgrade") {
        head.nominates = true
      }
    }
    return true
  }

  /// Once more over the fields, without those that `Connection` names (RFC 9110 section 7.6.1).
  private static func dropNominated(_ bytes: RawSpan, from start: Int, _ head: ResponseHead) {
    head.runs.removeAll(keepingCapacity: true)
    var offset = start
    while case .line(let line) = FieldLine.read(bytes, at: offset) {
      let stays = !FieldName.of(bytes, line.name).staysBehindInResponse && !isNominated(line.name, bytes, head)
      if stays { keep(line, of: bytes, from: offset, head) }
      offset = line.next
    }
  }

  private static func isNominated(_ name: ByteRange, _ bytes: RawSpan, _ head: ResponseHead) -> Bool {
    if NameComparison.isEssential(bytes, name) { return false }
    for value in head.connections {
      var tokens = FieldTokens(value)
      while let token = tokens.next(bytes) {
        if NameComparison.equal(bytes, token, name) { return true }
      }
    }
    return false
  }
}

extension NameComparison {
  /// What says how to read a message is not for `Connection` to take away.
  static func isEssential(_ bytes: RawSpan, _ name: ByteRange) -> Bool {
    bytes.equals(name, "content-type") || bytes.equals(name, "date") || bytes.equals(name, "set-cookie")
  }
}
