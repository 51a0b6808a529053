/// Where a request came in.
struct RequestOrigin: Sendable {
  /// The peer's address without port, as text; IPv6 without brackets.
  var address: [UInt8]
  /// The port the client connected to.
  var port: Int
  var isSecure = false
  /// The peer is a proxy whose word about its own clients is taken.
  var isTrusted = false

  var isIPv6: Bool { address.contains(UInt8(ascii: ":")) }
}

/// Where parts of the head that was written for the instance stand in it, for the log and for another attempt.
struct WrittenRequest {
  var method = ByteRange.none
  var target = ByteRange.none
  var host = ByteRange.none
  var requestID = ByteRange.none
  var forwardedFor = ByteRange.none
  /// A mount has taken its prefix away.
  var isStripped = false
}

/// Writes the head of a request as the instance gets it.
struct RequestWriter {
  let origin: RequestOrigin
  /// Milliseconds since 1970.
  let now: Int
  /// Two words for a new request id.
  let random: (UInt64, UInt64)
  /// Bytes of the path that a mount takes away; they become `X-Forwarded-Prefix`.
  var stripped = 0
  /// The upgrade goes on to the instance.
  var upgrades = false

  /// Memory that is enough for any head of these.
  static func bound(_ head: RequestHead, origin: RequestOrigin) -> Int {
    head.length &* 3 &+ origin.address.count &* 2 &+ 1024
  }

  func write(_ head: RequestHead, _ bytes: RawSpan, to out: inout ByteWriter) -> WrittenRequest {
    var written = WrittenRequest()
    written.isStripped = stripped > 0
    requestLine(head, bytes, &out, &written)
    out.append("Host: ")
    written.host = mark(&out) { $0.append(bytes, head.host) }
    out.append("\r\n")
    for run in head.runs { out.append(bytes, run) }
    framing(head, bytes, &out)
    forwarded(head, bytes, &out, &written)
    identity(head, bytes, &out, &written)
    out.append("\r\n")
    return written
  }

  private func mark(_ out: inout ByteWriter, _ write: (inout ByteWriter) -> Void) -> ByteRange {
    let start = out.count
    write(&out)
    return ByteRange(start: start, end: out.count)
  }

  private func requestLine(
    _ head: RequestHead, _ bytes: RawSpan, _ out: inout ByteWriter, _ written: inout WrittenRequest
  ) {
    written.method = mark(&out) { $0.append(bytes, head.method) }
    out.append(0x20)
    var target = head.target
    target.start = min(target.start &+ stripped, target.end)
    written.target = mark(&out) { out in
      if head.isAsterisk { return out.append(UInt8(ascii: "*")) }
      if target.isEmpty || bytes.byte(target.start) == UInt8(ascii: "?") { out.append(UInt8(ascii: "/")) }
      out.append(bytes, target)
    }
    out.append(" HTTP/1.1\r\n")
  }

  private func framing(_ head: RequestHead, _ bytes: RawSpan, _ out: inout ByteWriter) {
    if head.flags.contains(.chunked) {
      out.append("Transfer-Encoding: chunked\r\n")
    } else if head.flags.contains(.hasLength) {
      out.append("Content-Length: ")
      out.append(decimal: head.contentLength)
      out.append("\r\n")
    }
    if head.flags.contains(.expectsContinue), !head.isOld { out.append("Expect: 100-continue\r\n") }
    if upgrades {
      out.append("Connection: Upgrade\r\n")
      for special in head.specials where special.name == .upgrade {
        field("Upgrade: ", bytes, special.value, &out)
      }
    }
  }

  private func field(_ name: StaticString, _ bytes: RawSpan, _ value: ByteRange, _ out: inout ByteWriter) {
    out.append(name)
    out.append(bytes, value)
    out.append("\r\n")
  }

  /// Values of a trusted peer's fields of one name, each followed by a comma.
  private func chain(_ name: FieldName, _ head: RequestHead, _ bytes: RawSpan, _ out: inout ByteWriter) {
    guard origin.isTrusted else { return }
    for special in head.specials where special.name == name && !special.value.isEmpty {
      out.append(bytes, special.value)
      out.append(", ")
    }
  }

  private func kept(_ name: FieldName, _ head: RequestHead) -> ByteRange? {
    guard origin.isTrusted, let value = head.first(name), !value.isEmpty else { return nil }
    return value
  }

  /// `X-Forwarded-*` and `Forwarded` (RFC 7239).
  private func forwarded(
    _ head: RequestHead, _ bytes: RawSpan, _ out: inout ByteWriter, _ written: inout WrittenRequest
  ) {
    out.append("X-Forwarded-For: ")
    written.forwardedFor = mark(&out) { out in
      chain(.xForwardedFor, head, bytes, &out)
      out.append(origin.address)
    }
    out.append("\r\nX-Forwarded-Proto: ")
    if let value = kept(.xForwardedProto, head) { out.append(bytes, value) } else { scheme(&out) }
    out.append("\r\nX-Forwarded-Port: ")
    if let value = kept(.xForwardedPort, head) { out.append(bytes, value) } else { out.append(decimal: origin.port) }
    out.append("\r\nX-Forwarded-Host: ")
    out.append(bytes, kept(.xForwardedHost, head) ?? head.host)
    if stripped > 0 {
      out.append("\r\nX-Forwarded-Prefix: ")
      out.append(bytes, ByteRange(start: head.target.start, end: min(head.target.start &+ stripped, head.target.end)))
    }
    out.append("\r\nForwarded: ")
    chain(.forwarded, head, bytes, &out)
    out.append("for=")
    if origin.isIPv6 { out.append("\"[") }
    out.append(origin.address)
    if origin.isIPv6 { out.append("]\"") }
    if !head.host.isEmpty {
      out.append(";host=\"")
      out.append(bytes, head.host)
      out.append(UInt8(ascii: "\""))
    }
    out.append(";proto=")
    scheme(&out)
    out.append("\r\n")
  }

  private func scheme(_ out: inout ByteWriter) {
    if origin.isSecure { out.append("https") } else { out.append("http") }
  }

  /// `X-Request-Id`, `X-Request-Start` and `Via` (RFC 9110 section 7.6.3).
  private func identity(
    _ head: RequestHead, _ bytes: RawSpan, _ out: inout ByteWriter, _ written: inout WrittenRequest
  ) {
    out.append("X-Request-Id: ")
    let given = head.first(.xRequestID)
    written.requestID = mark(&out) { out in
      if let given, Self.isIdentifier(bytes, given) { out.append(bytes, given) } else { identifier(&out) }
    }
    out.append("\r\nX-Request-Start: ")
    if let value = kept(.xRequestStart, head) { out.append(bytes, value) } else { out.append(decimal: now) }
    out.append("\r\nVia: ")
    for special in head.specials where special.name == .via && !special.value.isEmpty {
      out.append(bytes, special.value)
      out.append(", ")
    }
    if head.isOld { out.append("1.0 paas\r\n") } else { out.append("1.1 paas\r\n") }
  }

  /// 20 to 200 letters, digits and hyphens (Heroku, "HTTP Request IDs").
  static func isIdentifier(_ bytes: RawSpan, _ range: ByteRange) -> Bool {
    guard (20...200).contains(range.count), range.end <= bytes.byteCount else { return false }
    for offset in range.start..<range.end where !ByteClass.isIdentifier(bytes.byte(offset)) { return false }
    return true
  }

  /// A UUID of version 4 (RFC 9562 section 5.4).
  private func identifier(_ out: inout ByteWriter) {
    let high = random.0 & ~0xF000 | 0x4000
    let low = random.1 & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    out.append(hexadecimal: high &>> 32, digits: 8)
    out.append(UInt8(ascii: "-"))
    out.append(hexadecimal: high &>> 16, digits: 4)
    out.append(UInt8(ascii: "-"))
    out.append(hexadecimal: high, digits: 4)
    out.append(UInt8(ascii: "-"))
    out.append(hexadecimal: low &>> 48, digits: 4)
    out.append(UInt8(ascii: "-"))
    out.append(hexadecimal: low, digits: 12)
  }
}
