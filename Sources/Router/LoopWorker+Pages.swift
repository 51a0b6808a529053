import NIOCore
import Platform

/// What the router says itself.
extension LoopWorker {
  /// Answers an exchange with a page. Returns the bytes of its body.
  func send(_ page: ErrorPage, of exchange: Exchange, close: Bool) -> Int {
    guard let client = exchange.client else { return 0 }
    var page = page
    if let settings = exchange.app?.route.settings, page.code != nil {
      page.custom = page.code == .maintenance ? settings.maintenancePage : settings.errorPage
    }
    let head = exchange.head
    let bytes = head.readableBytesSpan
    var accept: String?
    if RequestParser.parse(bytes, limits: .own, into: requestHead) == .complete,
      let range = requestHead.first(.accept)
    {
      accept = bytes.text(range)
    }
    return write(
      page, to: client, format: PageFormat(accept: accept), requestID: bytes.text(exchange.written.requestID),
      withBody: !exchange.asker.isHead, close: close, isOld: exchange.asker.isOld)
  }

  @discardableResult
  func write(
    _ page: ErrorPage, to client: ClientConnection, format: PageFormat, requestID: String?, withBody: Bool, close: Bool,
    isOld: Bool
  ) -> Int {
    let body = page.body(format, requestID: requestID)
    let length = body.utf8.count
    var head = "HTTP/1.1 \(page.status) \(page.reason)\r\nContent-Type: \(format.contentType)\r\n"
    head += "Content-Length: \(length)\r\nCache-Control: no-cache, no-store\r\n\(page.fields)"
    if let requestID, !requestID.isEmpty { head += "X-Request-Id: \(requestID)\r\n" }
    if close {
      head += "Connection: close\r\n"
    } else if isOld {
      head += "Connection: keep-alive\r\n"
    }
    _ = clock.wall(now)
    var out = takeScratch()
    out.writeString(head)
    out.writeBytes(clock.dateField)
    out.writeStaticString("Via: 1.1 paas\r\n\r\n")
    if withBody { out.writeString(body) }
    client.send(out)
    giveScratch(out)
    return withBody ? length : 0
  }

  /// True when the request's password was right before. Else it is answered, now or when it was checked.
  func isAdmitted(_ exchange: Exchange) -> Bool {
    guard let app = exchange.app else { return false }
    let users = app.route.settings.users
    let head = exchange.head
    let bytes = head.readableBytesSpan
    guard RequestParser.parse(bytes, limits: .own, into: requestHead) == .complete,
      let range = requestHead.first(.authorization), let credentials = Credentials(authorization: bytes.text(range))
    else {
      exchange.answer(.unauthorized(app.route.name.description))
      return false
    }
    if shared.passwords.isKnown(credentials, users) { return true }
    let stamp = exchange.stamp
    let name = app.route.name.description
    let bound = NIOLoopBound(exchange, eventLoop: loop)
    exchange.awaitFirstByte()
    shared.passwords.check(credentials, users, of: app.route.app, on: loop) { answer in
      let exchange = bound.value
      guard exchange.stamp == stamp, !exchange.isOver else { return }
      exchange.worker.tick()
      switch answer {
      case .right: exchange.admit()
      case .wrong: exchange.answer(.unauthorized(name))
      case .busy: exchange.answer(.tooMany)
      }
    }
    return false
  }
}
