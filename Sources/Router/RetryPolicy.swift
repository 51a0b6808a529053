/// What becomes of a request after an attempt that failed, decided without clock or socket.
///
/// A request that was never sent may be tried anywhere: first each other instance at once, then, because the table is
/// probably about to change, again after a pause, until ``RouterLimits/hold`` is over. A request that was sent on a
/// reused connection, which then ended without a byte, was most likely never seen by the instance; it is sent once
/// more, on a fresh connection, and only when sending it twice is allowed (RFC 9110 section 9.2.2).
struct RetryPolicy: Sendable {
  enum Failure: Sendable, Equatable {
    case refused
    case connectTimeout
    /// The connection ended after the head was sent and before any byte of a response.
    case closedWithoutResponse(reused: Bool)
  }

  enum Decision: Sendable, Equatable {
    case tryAnother
    /// On a connection of its own.
    case sendAgain
    case wait(Duration)
    case giveUp(RouterCode)
  }

  /// Between two rounds over all instances.
  static let pause: Duration = .milliseconds(50)

  let mayResend: Bool
  let hold: Duration
  private var resent = false
  private var firstFailure: Duration?

  init(mayResend: Bool, hold: Duration) {
    self.mayResend = mayResend
    self.hold = hold
  }

  /// - Parameters:
  ///   - elapsed: since the request arrived.
  ///   - othersLeft: the table names instances that this round has not tried.
  mutating func decide(_ failure: Failure, elapsed: Duration, othersLeft: Bool) -> Decision {
    let code: RouterCode
    switch failure {
    case .closedWithoutResponse(let reused):
      guard reused, mayResend, !resent else { return .giveUp(.closedWithoutResponse) }
      resent = true
      return .sendAgain
    case .refused: code = .connectionRefused
    case .connectTimeout: code = .connectTimeout
    }
    let since = firstFailure ?? elapsed
    firstFailure = since
    guard elapsed - since < hold else { return .giveUp(code) }
    return othersLeft ? .tryAnother : .wait(Self.pause)
  }
}
