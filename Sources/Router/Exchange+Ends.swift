import NIOCore
import Wire

/// Every end a request can come to. Each gives the instance back, counts, writes one log line, lets go of both
/// connections and of this object, in this order; nothing may follow it.
extension Exchange {
  /// The response has been written whole. `excess`: bytes of the instance behind it, which nobody has asked for.
  func finish(excess: Int) {
    let closes = plan?.closesClient ?? true
    let isLast = !asker.keepsAlive && requestEnded
    if let connection {
      connection.detach()
      if plan?.keepsUpstream == true, requestEnded, excess == 0 { worker.keep(connection) } else { connection.close() }
    }
    connection = nil
    end(nil) { $0.exchangeEnded(close: closes, isLast: isLast) }
  }

  /// Ends with a page of the router's own; nothing of a response was sent so far.
  func answer(_ page: ErrorPage) {
    guard !isOver else { return }
    dropConnection()
    status = page.status
    let closes = !requestEnded || !asker.keepsAlive || worker.isDraining || page.endsConnection
    let mine = stamp
    let sent = worker.send(page, of: self, close: closes)
    guard mine == stamp, !isOver else { return }  // the write failed, and that has ended this already
    bytesOut = sent
    end(page.code) { $0.exchangeEnded(close: closes) }
  }

  /// Ends in the middle of a response.
  func abort(_ code: RouterCode) {
    dropConnection()
    let reset = plan?.ending == .close
    end(code) { $0.abort(reset: reset) }
  }

  func timedOut(_ code: RouterCode) {
    guard !isOver else { return }
    if isTunnel { return closeTunnel() }
    if plan != nil { abort(code) } else { answer(.unavailable(code)) }
  }

  /// The request's body is not what it was announced to be, so its instance must not take it for whole.
  func refuseBody(_ page: ErrorPage) {
    guard !isOver else { return }
    if plan != nil { abort(.clientInterrupted) } else { answer(page) }
  }

  /// The client ended in the middle of its body.
  func requestTruncated() {
    guard !isOver else { return }
    dropConnection()
    status = 499
    end(.clientInterrupted) { $0.cut() }
  }

  func clientGone() {
    guard !isOver else { return }
    if isTunnel { return closeTunnel() }
    dropConnection()
    status = 499
    end(.clientInterrupted) { _ in }
  }

  private func dropConnection() {
    connection?.close()
    connection = nil
  }

  func releaseBackend() {
    blamed = upstream
    if !hasLeft { upstream?.backend.release() }
    hasLeft = false
    upstream = nil
  }

  /// The response is all here: whoever has it may ask again at once, and must not meet itself at a limit.
  func leavePlaces() {
    leaveGate()
    if !hasLeft { upstream?.backend.release() }
    hasLeft = upstream != nil
  }

  /// What every end has in common; `then` is told the client, last of all.
  func end(_ code: RouterCode?, then: (ClientConnection) -> Void) {
    guard !isOver else { return }
    isOver = true
    isHeld = false
    count(code)
    releaseBackend()
    leaveGate()
    let client = client
    worker.recycle(self)
    if let client { then(client) }
  }

  private func count(_ code: RouterCode?) {
    guard let app else {
      worker.refused += 1
      return
    }
    let now = NIODeadline.now()
    let micros = Int((now - arrived).nanoseconds / 1000)
    let tally = (upstream ?? blamed)?.tally ?? app.own
    tally.add(
      status: status == 499 ? 0 : status, bytesIn: bytesIn, bytesOut: bytesOut, micros: isTunnel ? nil : micros)
    guard app.route.settings.logs else { return }
    worker.log.append(self, app: app, code: code, now: now, worker: worker)
  }

  /// Ready for the next request.
  func reset() {
    stamp &+= 1
    client = nil
    if head.capacity > 8192 { head = ByteBuffer() }
    host = nil
    refusal = nil
    bytesIn = 0
    judgedBytes = 0
    app = nil
    seen = nil
    preferred = nil
    blamed = nil
    tried.removeAll(keepingCapacity: true)
    needsFresh = false
    isConnecting = false
    gate = nil
    hasLeft = false
    plan = nil
    responseBody = .none
    status = 0
    sawResponse = false
    interims = 0
    bytesOut = 0
    isTunnel = false
    clientEnded = false
    upstreamHasEnded = false
    connected = nil
    body = .none
    requestEnded = true
  }
}
