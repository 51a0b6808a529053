import NIOCore

/// What happens to a client when its time is over, or the router's.
extension ClientConnection {
  /// A client between two requests may have one on its way, which no other router would get: for a moment it is still
  /// served, and told to close. One that has begun to ask has its time.
  func drain() {
    switch state {
    case .idle where inbox.readableBytes == 0, .introduction: expect(.cut, patience)
    default: break
    }
  }

  /// How long a draining router waits for a request.
  var patience: TimeAmount { isNew ? worker.times.newcomer : worker.times.farewell }

  func cut() { context?.close(promise: nil) }

  /// The deadline has passed.
  func expire() {
    if due != .slowHead, isSending() { return }
    deadline = .distantFuture
    switch due {
    case .cut: cut()
    case .slowHead: answer(.slowHead)
    case .firstByte: exchange?.timedOut(.requestTimeout)
    case .idle: exchange?.timedOut(.idleConnection)
    case .slowBody: exchange?.judgeBody()
    }
  }

  /// A deadline runs from when bytes were taken for writing, and they may be on their way to someone slow. True: they
  /// are, and the peer has acknowledged some of them lately, so it is looked at again in a moment.
  func isSending() -> Bool {
    var sent = SentBytes(context?.channel)
    sent.add(exchange?.sentUpstream)
    switch sending.look(sent, at: worker.now, patience: min(.seconds(10), worker.times.idle)) {
    case .idle, .stuck: return false
    case .finished: return beginsNow()
    case .moving:
      deadline = worker.now + min(.seconds(1), worker.times.idle)
      return true
    }
  }

  /// All is written just now: what the deadline is for begins. The pace of a request's body is judged by its bytes.
  private func beginsNow() -> Bool {
    switch due {
    case .cut:
      guard case .idle = state else { return false }
      expect(.cut, worker.isDraining ? worker.times.farewell : worker.times.keepAlive)
    case .firstByte: exchange?.awaitFirstByte()
    case .idle: exchange?.awaitBytes()
    case .slowHead, .slowBody: break
    }
    return deadline > worker.now
  }
}
