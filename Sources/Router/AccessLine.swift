import NIOCore

/// One line of the access log in the shape of Heroku's router, written straight from what the exchange holds.
struct AccessLine {
  let exchange: Exchange
  let code: RouterCode?
  let connect: Int?
  let service: Int

  /// Paths, and chains of proxies, have at most this many bytes.
  static let pathLimit = 2000

  init(_ exchange: Exchange, code: RouterCode?, now: NIODeadline) {
    self.exchange = exchange
    self.code = code
    connect = exchange.connected.map { Int(($0 - exchange.arrived).nanoseconds / 1_000_000) }
    service = Int((now - (exchange.connected ?? exchange.arrived)).nanoseconds / 1_000_000)
  }

  /// Memory that is enough.
  var bound: Int { exchange.head.readableBytes + 512 }

  /// `at=info method=GET path="/" host=h request_id=… fwd="ip" dyno=web.1 connect=1ms service=18ms status=200 …`
  func write(to out: inout ByteWriter) {
    let head = exchange.head
    let bytes = head.readableBytesSpan
    let written = exchange.written
    if let code {
      out.append("at=error code=")
      out.append(text: code.rawValue)
      out.append(" desc=\"")
      out.append(code.description)
      out.append("\" method=")
    } else {
      out.append("at=info method=")
    }
    out.append(bytes, written.method)
    out.append(" path=\"")
    path(bytes, written.target, &out)
    out.append("\" host=")
    out.append(bytes, written.host)
    out.append(" request_id=")
    out.append(bytes, written.requestID)
    out.append(" fwd=\"")
    // Of a long chain the end: what the nearest proxies have written.
    var forwarded = written.forwardedFor
    forwarded.start = max(forwarded.start, forwarded.end - Self.pathLimit)
    quoted(bytes, forwarded, &out)
    out.append("\" dyno=")
    if let dyno = (exchange.upstream ?? exchange.blamed)?.name { out.append(dyno) }
    out.append(" connect=")
    if let connect {
      out.append(decimal: connect)
      out.append("ms")
    }
    numbers(&out)
  }

  private func numbers(_ out: inout ByteWriter) {
    out.append(" service=")
    out.append(decimal: service)
    out.append("ms status=")
    out.append(decimal: exchange.status)
    out.append(" bytes=")
    out.append(decimal: exchange.bytesOut)
    if exchange.isTunnel { out.append(" protocol=websocket\n") } else { out.append(" protocol=http\n") }
  }

  private func path(_ bytes: RawSpan, _ range: ByteRange, _ out: inout ByteWriter) {
    var range = range
    range.end = min(range.end, range.start + Self.pathLimit)
    quoted(bytes, range, &out)
  }

  /// Nothing may look like the end of the value: controls were refused with the head, quotes are replaced.
  private func quoted(_ bytes: RawSpan, _ range: ByteRange, _ out: inout ByteWriter) {
    var start = range.start
    for offset in range.start..<max(range.start, min(range.end, bytes.byteCount))
    where bytes.byte(offset) == UInt8(ascii: "\"") {
      out.append(bytes, ByteRange(start: start, end: offset))
      out.append(UInt8(ascii: "?"))
      start = offset + 1
    }
    out.append(bytes, ByteRange(start: start, end: max(start, range.end)))
  }
}
