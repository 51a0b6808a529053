import NIOCore
import NIOPosix
import Platform
import Wire

/// From a host name to a connection: every attempt looks into the table that is in force at that moment.
extension Exchange {
  func start() { attempt() }

  private func attempt() {
    guard !isOver else { return }
    isHeld = false
    switch worker.snapshot.lookup(plan.host) {
    case .unconfirmed: answer(.unavailable(.platformError))
    case .unknownHost: answer(.unknownHost)
    case .found(let route):
      app = route.app
      switch route.state {
      case .blank: answer(.unavailable(.blankApp))
      case .noWeb: answer(.unavailable(.noWebProcesses))
      case .crashed: answer(.unavailable(.appCrashed))
      case .maintenance: answer(.unavailable(.maintenance))
      case .live, .starting: choose(from: route.backends)
      }
    }
  }

  private func choose(from backends: [Backend]) {
    let index = Balancer.leastLoaded(backends.map(\.inFlight), turn: worker.nextTurn()) { index in
      tried.contains(ObjectIdentifier(backends[index]))
    }
    guard let index else { return failed(.refused) }
    let chosen = backends[index]
    chosen.acquire()
    backend = chosen
    if let connection = worker.pool.take(chosen) {
      guard needsFresh else { return attach(connection) }
      // A server of one thread may sit on this one; it could not take a new one beside it.
      connection.close()
    }
    connect(to: chosen)
  }

  private func connect(to chosen: Backend) {
    isConnecting = true
    worker.connect(to: chosen) { [self] result in
      isConnecting = false
      switch result {
      case .success(let connection):
        guard !isOver else {
          releaseBackend()
          return worker.pool.giveBack(connection)
        }
        attach(connection)
      case .failure(let error):
        releaseBackend()
        tried.insert(ObjectIdentifier(chosen))
        if !isOver { failed(Self.isTimeout(error) ? .connectTimeout : .refused) }
      }
    }
  }

  /// An attempt has failed; its instance is given back.
  func failed(_ failure: RetryPolicy.Failure) {
    let others = others()
    switch retry.decide(failure, elapsed: elapsed, othersLeft: others) {
    case .tryAnother: attempt()
    case .sendAgain:
      needsFresh = true
      tried = []
      attempt()
    case .wait(let pause):
      tried = []
      isHeld = true
      client.countdown.start(pause) { [weak self] in self?.attempt() }
    case .giveUp(let code): answer(.unavailable(code))
    }
  }

  private func others() -> Bool {
    guard case .found(let route) = worker.snapshot.lookup(plan.host), route.state == .live else { return false }
    return route.backends.contains { !tried.contains(ObjectIdentifier($0)) }
  }

  private static func isTimeout(_ error: any Error) -> Bool {
    if case .connectTimeout = error as? ChannelError { return true }
    guard let error = error as? NIOConnectionError else { return false }
    return error.connectionErrors.contains {
      if case .connectTimeout = $0.error as? ChannelError { true } else { false }
    }
  }
}
