import NIOCore

/// How far the response's body has come.
enum ResponseBody {
  case none
  case length(left: Int)
  case chunked(ChunkDecoder)
  case close
}

/// The response, from the instance to the client.
extension Exchange {
  /// Bytes up to this size are copied behind the head, so that both leave in one write; larger ones go as they are.
  static let coalesced = 16 << 10
  /// Interim responses of one request that are passed on.
  static let interimLimit = 32

  /// Takes what it can of these bytes. When it returns, this object may carry another request.
  func received(_ bytes: inout ByteBuffer) {
    guard !isOver else { return }
    sawResponse = true
    let mine = stamp
    while plan == nil {
      guard bytes.readableBytes > 0 else { return }
      switch parseHead(bytes) {
      case .incomplete: return
      case .malformed: return badResponse()
      case .complete: takeHead(&bytes)
      }
      guard mine == stamp, !isOver, !isTunnel else { return }
    }
    var out = worker.takeScratch()
    takeBody(&bytes, &out)
  }

  private func parseHead(_ bytes: ByteBuffer) -> ResponseParser.Outcome {
    guard let connection else { return .malformed }
    if connection.headEnd.seen > 0 {
      switch connection.headEnd.look(at: bytes.readableBytesSpan) {
      case .incomplete: return bytes.readableBytes > worker.headLimits.bytes ? .malformed : .incomplete
      case .malformed: return .malformed
      case .complete: break
      }
    }
    let outcome = ResponseParser.parse(
      bytes.readableBytesSpan, limits: worker.headLimits, into: worker.responseHead)
    if outcome == .incomplete { _ = connection.headEnd.look(at: bytes.readableBytesSpan) }
    if outcome == .complete { connection.headEnd.reset() }
    return outcome
  }

  /// A head that is all there: an interim one, the opening of a tunnel, or the response's own.
  private func takeHead(_ bytes: inout ByteBuffer) {
    let response = worker.responseHead
    switch response.status {
    case 101:
      guard wantsUpgrade, !response.upgrades.isEmpty else { return badResponse() }
      writeInterim(response, bytes)
      bytes.moveReaderIndex(forwardBy: response.length)
      openTunnel(&bytes)
    case 100..<200:
      interims += 1
      guard interims <= Self.interimLimit else { return badResponse() }
      if !asker.isOld, response.status != 100 || expectsContinue {
        writeInterim(response, bytes)
        client?.flush()
      }
      bytes.moveReaderIndex(forwardBy: response.length)
    default:
      begin(response, &bytes)
    }
  }

  private func writeInterim(_ response: ResponseHead, _ bytes: ByteBuffer) {
    var out = ByteBuffer()
    out.writeWithUnsafeMutableBytes(minimumWritableBytes: ResponseWriter.bound(response, cookie: 0)) { memory in
      var writer = ByteWriter(memory)
      ResponseWriter.writeInterim(response, bytes.readableBytesSpan, to: &writer)
      return writer.count
    }
    client?.write(out)
  }

  private func begin(_ response: ResponseHead, _ bytes: inout ByteBuffer) {
    let plan = ResponsePlan(response, to: asker, mustClose: !requestEnded || worker.isDraining)
    self.plan = plan
    status = response.status
    let writer = ResponseWriter(
      plan: plan, isOldClient: asker.isOld, date: worker.clock.dateField, cookie: cookie())
    switch plan.source {
    case .none: responseBody = .none
    case .length(let length): responseBody = length > 0 ? .length(left: length) : .none
    case .chunked: responseBody = .chunked(ChunkDecoder(allowsExtensions: true))
    case .close: responseBody = .close
    }
    var out = worker.takeScratch()
    out.writeWithUnsafeMutableBytes(
      minimumWritableBytes: ResponseWriter.bound(response, cookie: writer.cookie.count)
    ) { memory in
      var target = ByteWriter(memory)
      writer.write(response, bytes.readableBytesSpan, to: &target)
      return target.count
    }
    bytes.moveReaderIndex(forwardBy: response.length)
    upstream?.backend.succeeded()
    if requestEnded { awaitBytes() }
    takeBody(&bytes, &out)
  }

  /// What the sticky cookie of the client should be, if it is not that already.
  private func cookie() -> [UInt8] {
    guard let app, app.route.settings.isSticky, let backend = upstream?.backend, backend !== preferred else {
      return []
    }
    return Sticky.field(backend)
  }

  /// Passes on what has come of the body, behind what `out` holds already.
  private func takeBody(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) {
    var isWhole = false
    switch responseBody {
    case .none: isWhole = true
    case .length(let left):
      let count = min(left, bytes.readableBytes)
      if count > 0 { emit(&bytes, count, &out) }
      responseBody = .length(left: left &- count)
      isWhole = left == count
    case .close: takeToEnd(&bytes, &out)
    case .chunked(var decoder):
      switch takeChunks(&bytes, &decoder, &out) {
      case .more: responseBody = .chunked(decoder)
      case .whole: isWhole = true
      case .malformed:
        if out.readableBytes > 0 { client?.write(out) }
        worker.giveScratch(out)
        return failResponse(.badResponse)
      }
    }
    if out.readableBytes > 0 { client?.write(out) }
    if client?.due == .idle { awaitBytes() }
    let mine = stamp
    if isWhole {
      leavePlaces()
      client?.flush()
    }
    worker.giveScratch(out)
    // A write that fails closes the client at once, and that has ended this already.
    guard mine == stamp, !isOver else { return }
    if isWhole { finish(excess: bytes.readableBytes) }
  }

  /// `count` bytes of the body: copied behind what waits, or as they are.
  private func emit(_ bytes: inout ByteBuffer, _ count: Int, _ out: inout ByteBuffer, isData: Bool = true) {
    if isData { bytesOut &+= count }
    if count &+ out.readableBytes <= Self.coalesced {
      bytes.withUnsafeReadableBytes { memory in
        _ = out.writeBytes(UnsafeRawBufferPointer(rebasing: memory.prefix(count)))
      }
      bytes.moveReaderIndex(forwardBy: count)
      return
    }
    if out.readableBytes > 0 {
      client?.write(out)
      out = ByteBuffer()
    }
    if let piece = bytes.readSlice(length: count) { client?.write(piece) }
  }

  /// A body that ends with its connection: chunks for a client that reads them.
  private func takeToEnd(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) {
    let count = bytes.readableBytes
    guard count > 0 else { return }
    if asker.isOld { return emit(&bytes, count, &out) }
    out.writeString(String(count, radix: 16))
    out.writeStaticString("\r\n")
    emit(&bytes, count, &out)
    out.writeStaticString("\r\n")
  }

  private enum Chunks {
    case more, whole, malformed
  }

  /// Chunks go on as they came, without extensions; a client of HTTP/1.0 gets what is in them.
  private func takeChunks(_ bytes: inout ByteBuffer, _ decoder: inout ChunkDecoder, _ out: inout ByteBuffer) -> Chunks {
    let source = bytes
    let span = source.readableBytesSpan
    var offset = 0
    /// Up to here everything was passed on or dropped.
    var done = 0
    var result = Chunks.more
    func pass(to end: Int) {
      guard end > done, var piece = source.getSlice(at: source.readerIndex &+ done, length: end &- done) else { return }
      emit(&piece, piece.readableBytes, &out, isData: false)
    }
    reading: while true {
      let good = offset
      switch decoder.next(span, &offset) {
      case .more: break reading
      case .malformed:
        if !asker.isOld { pass(to: good) }
        result = .malformed
        break reading
      case .data(let range):
        bytesOut &+= range.count
        if asker.isOld {
          done = range.start
          pass(to: range.end)
          done = range.end
        }
      case .framing(let range): if asker.isOld { done = range.end }
      case .dropped(let range):
        if !asker.isOld { pass(to: range.start) }
        done = range.end
      case .trailers:
        if !asker.isOld { pass(to: offset) }
        done = offset
        result = takeTrailers(source, span, &offset, &out)
        done = offset
        break reading
      }
    }
    if result == .more, !asker.isOld { pass(to: offset) }
    bytes.moveReaderIndex(forwardBy: min(offset, bytes.readableBytes))
    return result
  }

  private func takeTrailers(
    _ source: ByteBuffer, _ span: RawSpan, _ offset: inout Int, _ out: inout ByteBuffer
  ) -> Chunks {
    var kept: [ByteRange] = []
    switch TrailerSection.read(span, at: offset, keep: { kept.append($0) }) {
    case .incomplete: return .more
    case .malformed: return .malformed
    case .complete(let length):
      offset &+= length
      if asker.isOld { return .whole }
      for range in kept {
        if var line = source.getSlice(at: source.readerIndex &+ range.start, length: range.count) {
          emit(&line, line.readableBytes, &out, isData: false)
        }
      }
      out.writeStaticString("\r\n")
      return .whole
    }
  }

  func receivedAll() {
    guard !isOver else { return }
    client?.flush()
    guard let client, client.isWritable else { return }
    connection?.read()
  }

  func clientWritable() {
    guard !isOver else { return }
    if client?.due == .idle { awaitBytes() }
    connection?.read()
  }

  private func badResponse() {
    connection?.close()
    connection = nil
    upstream?.backend.failed(at: worker.now)
    answer(.unavailable(.badResponse))
  }

  private func failResponse(_ code: RouterCode) {
    upstream?.backend.failed(at: worker.now)
    abort(code)
  }

  /// The instance's side has ended: cleanly, or with a reset or an error.
  func upstreamEnded(isClean: Bool) {
    guard !isOver, let lost = connection else { return }
    if isTunnel { return closeTunnel() }
    if plan != nil {
      if case .close = responseBody, isClean { return endOfBody() }
      return failResponse(.serverInterrupted)
    }
    connection = nil
    lost.close()
    // An instance that closed an idle connection did so when the request was on its way; one that closes later has
    // perhaps begun with it.
    let wasStale = lost.isReused && !sawResponse && worker.now - attached < .seconds(1)
    if !wasStale { upstream?.backend.failed(at: worker.now) }
    releaseBackend()
    failed(.closedWithoutResponse(reused: wasStale))
  }

  private func endOfBody() {
    if !asker.isOld { client?.write(ByteBuffer(string: "0\r\n\r\n")) }
    let mine = stamp
    leavePlaces()
    client?.flush()
    guard mine == stamp, !isOver else { return }
    finish(excess: 0)
  }
}
