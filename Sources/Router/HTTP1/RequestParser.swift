/// Reads a request's head in one pass, with one interpretation: what two parsers could read differently is refused
/// (RFC 9112 section 11.2).
enum RequestParser {
  enum Outcome: Equatable {
    case incomplete
    case complete
    case failed(RequestFault)
  }

  /// Fills `head` from the bytes, which start with the request line.
  static func parse(_ bytes: RawSpan, limits: HeadLimits, into head: RequestHead) -> Outcome {
    head.reset()
    var offset = 0
    switch requestLine(bytes, limits: limits, &offset, head) {
    case .complete: break
    case let other: return other
    }
    var hosts = 0
    var fields = 0
    while true {
      let line: FieldLine
      switch FieldLine.read(bytes, at: offset) {
      case .incomplete: return bytes.byteCount > limits.bytes ? .failed(.tooLarge) : .incomplete
      case .malformed: return .failed(.malformedField)
      case .end(let next):
        guard next <= limits.bytes else { return .failed(.tooLarge) }
        head.length = next
        return finish(bytes, hosts: hosts, head)
      case .line(let read): line = read
      }
      fields &+= 1
      guard fields <= limits.fields, line.value.count <= limits.value else { return .failed(.tooLarge) }
      guard !line.hasSpaceBeforeColon else { return .failed(.malformedField) }
      if let fault = take(line, of: bytes, from: offset, hosts: &hosts, head) { return .failed(fault) }
      offset = line.next
    }
  }

  private static func requestLine(
    _ bytes: RawSpan, limits: HeadLimits, _ offset: inout Int, _ head: RequestHead
  ) -> Outcome {
    let count = bytes.byteCount
    while offset < count, ByteClass.isToken(bytes.byte(offset)) { offset &+= 1 }
    guard offset <= 32 else { return .failed(.malformed) }
    guard offset < count else { return .incomplete }
    guard offset > 0, bytes.byte(offset) == 0x20 else { return .failed(.malformed) }
    head.method = ByteRange(start: 0, end: offset)
    offset &+= 1
    let start = offset
    while offset < count, ByteClass.isTarget(bytes.byte(offset)) { offset &+= 1 }
    guard offset &- start <= limits.target else { return .failed(.targetTooLong) }
    guard offset < count else { return .incomplete }
    guard bytes.byte(offset) == 0x20, offset > start else { return .failed(.target) }
    head.target = ByteRange(start: start, end: offset)
    offset &+= 1
    return version(bytes, &offset, head)
  }

  private static func version(_ bytes: RawSpan, _ offset: inout Int, _ head: RequestHead) -> Outcome {
    let count = bytes.byteCount
    let wanted: StaticString = "HTTP/"
    for index in 0..<5 {
      guard offset &+ index < count else { return .incomplete }
      guard unsafe bytes.byte(offset &+ index) == wanted.utf8Start[index] else { return .failed(.malformed) }
    }
    guard offset &+ 9 < count else { return bytes.hasLineFeed(from: offset) ? .failed(.malformed) : .incomplete }
    let major = bytes.byte(offset &+ 5)
    let minor = bytes.byte(offset &+ 7)
    guard ByteClass.isDigit(major), bytes.byte(offset &+ 6) == UInt8(ascii: "."), ByteClass.isDigit(minor),
      bytes.byte(offset &+ 8) == 13, bytes.byte(offset &+ 9) == 10
    else { return .failed(.malformed) }
    guard major == UInt8(ascii: "1") else { return .failed(.version) }
    // A later minor version is read as the one we know (RFC 9110 section 2.5).
    head.minor = min(minor &- UInt8(ascii: "0"), 1)
    offset &+= 10
    return .complete
  }

  /// Files one field; returns what is wrong with it.
  private static func take(
    _ line: FieldLine, of bytes: RawSpan, from start: Int, hosts: inout Int, _ head: RequestHead
  ) -> RequestFault? {
    var name = FieldName.of(bytes, line.name)
    if line.hasUnderscore, name == .other {
      let meant = FieldName.ofUnderscored(bytes, line.name)
      if meant != .other { return nil }  // a spoof of it, dropped
      name = .other
    }
    if name == .other {
      head.keep(from: start, to: line.next)
      return nil
    }
    switch name {
    case .host:
      hosts &+= 1
      head.host = line.value
    case .contentLength: return contentLength(line.value, of: bytes, head)
    case .transferEncoding:
      guard !head.flags.contains(.chunked), bytes.equals(line.value, "chunked") else { return .coding }
      head.flags.insert(.chunked)
    case .connection: guard connection(line.value, of: bytes, head) else { return .malformedField }
    case .expect:
      guard bytes.equals(line.value, "100-continue") else { return .expectation }
      head.flags.insert(.expectsContinue)
    default: break
    }
    head.specials.append(RequestHead.Special(name: name, value: line.value))
    switch name {
    case .accept, .authorization, .cookie, .date, .trailer: head.keep(from: start, to: line.next)
    default: break
    }
    return nil
  }

  private static func contentLength(_ value: ByteRange, of bytes: RawSpan, _ head: RequestHead) -> RequestFault? {
    guard !head.flags.contains(.hasLength), let length = number(bytes, value) else { return .length }
    head.flags.insert(.hasLength)
    head.contentLength = length
    return nil
  }

  /// Digits and nothing else, below 2^63; `nil` for anything else.
  static func number(_ bytes: RawSpan, _ range: ByteRange) -> Int? {
    guard !range.isEmpty, range.count <= 19, range.end <= bytes.byteCount else { return nil }
    var value = 0
    for offset in range.start..<range.end {
      let byte = bytes.byte(offset)
      guard ByteClass.isDigit(byte) else { return nil }
      let (product, over) = value.multipliedReportingOverflow(by: 10)
      let (sum, more) = product.addingReportingOverflow(Int(byte &- 0x30))
      guard !over, !more else { return nil }
      value = sum
    }
    return value
  }

  /// False: it names more fields than anybody needs, and each is compared with all that there are.
  private static func connection(_ value: ByteRange, of bytes: RawSpan, _ head: RequestHead) -> Bool {
    var tokens = FieldTokens(value)
    while let token = tokens.next(bytes) {
      head.nominations &+= 1
      guard head.nominations <= HeadLimits.nominations else { return false }
      if bytes.equals(token, "keep-alive") {
        head.flags.insert(.keepAlive)
      } else if bytes.equals(token, "close") {
        head.flags.insert(.close)
      } else if bytes.equals(token, "upgrade") {
        head.flags.insert(.upgrade)
      } else {
        head.flags.insert(.nominates)
      }
    }
    return true
  }

  /// What can be judged only when all fields are known.
  private static func finish(_ bytes: RawSpan, hosts: Int, _ head: RequestHead) -> Outcome {
    guard hosts == 1 || (hosts == 0 && head.isOld) else { return .failed(.host) }
    if head.flags.contains(.chunked), head.flags.contains(.hasLength) || head.isOld { return .failed(.coding) }
    if bytes.isExactly(head.method, "CONNECT") { return .failed(.connect) }
    if head.flags.contains(.nominates) { dropNominated(bytes, head) }
    if head.flags.contains(.upgrade) { judgeUpgrade(bytes, head) }
    return RequestTarget.judge(bytes, head)
  }

  /// h2c would hide all later requests from the router, so it is not offered to the instance.
  private static func judgeUpgrade(_ bytes: RawSpan, _ head: RequestHead) {
    guard !head.isOld, !head.hasBody else { return }
    var isNamed = false
    for special in head.specials where special.name == .upgrade {
      var protocols = FieldTokens(special.value)
      while let name = protocols.next(bytes) {
        isNamed = true
        if bytes.equals(ByteRange(start: name.start, end: min(name.start &+ 2, name.end)), "h2") { return }
      }
    }
    if isNamed { head.flags.insert(.mayUpgrade) }
  }

  /// Takes fields that `Connection` names out of the runs (RFC 9110 section 7.6.1). Those that are handled by name
  /// (framing, `Host`, the router's own) are not in the runs, or stay: framing and routing stand on them.
  private static func dropNominated(_ bytes: RawSpan, _ head: RequestHead) {
    let runs = head.runs
    head.runs.removeAll(keepingCapacity: true)
    for run in runs {
      var offset = run.start
      while offset < run.end, case .line(let line) = FieldLine.read(bytes, at: offset) {
        if !isNominated(line.name, bytes, head) { head.keep(from: offset, to: line.next) }
        offset = line.next
      }
    }
  }

  private static func isNominated(_ name: ByteRange, _ bytes: RawSpan, _ head: RequestHead) -> Bool {
    if NameComparison.isEssential(bytes, name) { return false }
    for special in head.specials where special.name == .connection {
      var tokens = FieldTokens(special.value)
      while let token = tokens.next(bytes) {
        if NameComparison.equal(bytes, token, name) { return true }
      }
    }
    return false
  }
}

/// Two names in one span, compared without regard to case.
enum NameComparison {
  static func equal(_ bytes: RawSpan, _ left: ByteRange, _ right: ByteRange) -> Bool {
    guard left.count == right.count, max(left.end, right.end) <= bytes.byteCount else { return false }
    for index in 0..<left.count {
      guard lower(bytes.byte(left.start &+ index)) == lower(bytes.byte(right.start &+ index)) else { return false }
    }
    return true
  }

  @inline(__always)
  static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
