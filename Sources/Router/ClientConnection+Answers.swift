import Glibc
import NIOCore
import NIOHTTP1

/// What the router says itself, and how a connection ends.
extension ClientConnection {
  /// Answers with a page of the router's own.
  func send(_ page: ErrorPage, to plan: RequestPlan?, close: Bool) {
    let body = ByteBuffer(string: page.html)
    var headers = HTTPHeaders([
      ("Content-Type", "text/html; charset=utf-8"), ("Content-Length", String(body.readableBytes)),
      ("Cache-Control", "no-cache, no-store"),
    ])
    if let plan { headers.add(name: "X-Request-Id", value: plan.requestID) }
    let close = close || plan?.keepAlive != true || worker.isDraining
    if close {
      headers.add(name: "Connection", value: "close")
    } else if plan?.isOldClient == true {
      headers.add(name: "Connection", value: "keep-alive")
    }
    write(.head(HTTPResponseHead(version: .http1_1, status: .init(statusCode: page.status), headers: headers)))
    if plan?.head.method != .HEAD { write(.body(.byteBuffer(body))) }
    write(.end(nil))
    if close { linger() } else { exchangeEnded(close: false) }
  }

  /// The response cannot be completed, and must not look complete.
  func abort(reset: Bool) {
    guard let context else { return }
    state = .closed
    if reset {
      // Without chunks or a length only a reset tells the client.
      _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
    } else {
      context.flush()
    }
    context.close(promise: nil)
  }

  func refuse(_ error: HTTPParserError) {
    parserError = nil
    let tooLarge = error == .headerOverflow
    let page = tooLarge ? ErrorPage.badRequest(431, "The header is too large.") : .badRequest(400, "This is not HTTP.")
    send(page, to: nil, close: true)
  }

  func linger() {
    guard let context else { return }
    state = .lingering
    inbox.removeAll()
    countdown.start(worker.limits.idle) { [weak self] in self?.cut() }
    let flushed: EventLoopFuture<Void> = context.writeAndFlush(
      wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(capacity: 0)))))
    flushed.assumeIsolated().whenComplete { [weak self] _ in self?.lingerForEnd() }
    readIfWanted()
  }

  private func lingerForEnd() {
    guard case .lingering = state, let context else { return }
    context.close(mode: .output, promise: nil)
    countdown.start(worker.limits.linger) { [weak self] in self?.cut() }
    context.read()
  }
}
