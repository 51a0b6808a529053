import NIOCore
import NIOHTTP1
import Platform
import Wire

/// Every end a request can come to. Each gives the instance back, writes one log line, and lets go of both connections.
extension Exchange {
  func complete() {
    isOver = true
    if let upstream, let response {
      upstream.detach()
      if response.keepsUpstream, requestEnded { worker.pool.giveBack(upstream) } else { upstream.close() }
    }
    upstream = nil
    log(status: Int(response?.head.status.code ?? 0))
    releaseBackend()
    client.exchangeEnded(close: response?.closesClient ?? true)
  }

  /// Ends with a page of the router's own; nothing of a response was sent so far.
  func answer(_ page: ErrorPage) {
    isOver = true
    closeUpstream()
    log(page.code, status: page.status, bytes: page.html.utf8.count)
    releaseBackend()
    client.send(page, to: plan, close: !requestEnded)
  }

  /// Ends in the middle of a response.
  func abort(_ code: RouterCode) {
    isOver = true
    closeUpstream()
    log(code, status: Int(response?.head.status.code ?? 503))
    releaseBackend()
    client.abort(reset: response?.ending == .close)
  }

  func clientGone() {
    guard !isOver else { return }
    isOver = true
    isHeld = false
    closeUpstream()
    log(.clientInterrupted, status: 499)
    // An attempt to connect that is still under way gives the instance back itself.
    if !isConnecting { releaseBackend() }
  }

  func openTunnel(_ head: HTTPResponseHead) {
    guard let upstream else { return }
    var headers = HeaderRules.forwardedResponse(head.headers)
    headers.add(name: "Connection", value: "Upgrade")
    for name in head.headers["upgrade"] { headers.add(name: "Upgrade", value: name) }
    client.write(.head(HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)))
    client.flush()
    isOver = true
    upstream.detach()
    let tunnel = Tunnel(on: worker.loop, idle: worker.limits.idle) { [self] bytes in
      self.bytes = bytes
      log(status: 101, isTunnel: true)
      releaseBackend()
      worker.closed(client)
    }
    do {
      try client.become(tunnel.client)
      try upstream.become(tunnel.upstream)
      tunnel.client.read()
      tunnel.upstream.read()
    } catch {
      tunnel.close()
      client.cut()
      upstream.close()
    }
    self.upstream = nil
  }

  private func closeUpstream() {
    upstream?.close()
    upstream = nil
  }

  func releaseBackend() {
    backend?.release()
    backend = nil
  }

  private func log(_ code: RouterCode? = nil, status: Int, bytes: Int? = nil, isTunnel: Bool = false) {
    guard let app else { return }
    worker.log.append(
      AccessLine(
        code: code, method: plan.head.method.rawValue, path: plan.head.uri, host: plan.host, requestID: plan.requestID,
        client: plan.client, dyno: backend?.endpoint.name, connect: connectTime,
        service: elapsed - (connectTime ?? .zero),
        status: status, bytes: bytes ?? self.bytes, isTunnel: isTunnel), app: app)
  }
}
