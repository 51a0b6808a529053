import NIOCore
import Platform
import Synchronization
import Wire

/// From a host name to a connection: every attempt looks into the table that is in force at that moment.
extension Exchange {
  /// Finds the app, and whether it lets this request in. Returns how much of the path a mount takes away.
  func route(_ bytes: RawSpan, _ request: RequestHead) -> Int {
    guard let name = HostName(bytes, request.host) else {
      refusal = .refused(.host)
      return 0
    }
    host = name
    guard worker.snapshot.isConfirmed else {
      refusal = .unavailable(.platformError)
      return 0
    }
    guard let entry = worker.snapshot.find(name), let found = entry.route(for: bytes, request.target) else {
      refusal = .unknownHost
      return 0
    }
    let app = worker.app(found.route)
    self.app = app
    seen = worker.snapshot
    refusal = Access.refusal(
      app, entry, bytes, request, origin: client?.origin ?? RequestOrigin(address: [], port: 0), worker: worker)
    if found.route.settings.isSticky { preferred = Sticky.preferred(app.route, bytes, request) }
    return found.stripped
  }

  func start() {
    if let refusal { return answer(refusal) }
    guard let app else { return answer(.unknownHost) }
    if !app.route.settings.users.isEmpty, !worker.isAdmitted(self) { return }
    admit()
  }

  /// The request may come in.
  func admit() {
    guard let app, !isOver else { return }
    if let most = app.route.settings.concurrency {
      let now = app.route.gate.inFlight.add(1, ordering: .relaxed).newValue
      gate = app.route.gate
      if now > most { return answer(.tooMany) }
    }
    attempt()
  }

  /// With the table that is in force now.
  func attempt() {
    guard !isOver else { return }
    isHeld = false
    guard let app = currentApp() else { return startAgain() }
    self.app = app
    switch app.route.state {
    case .blank: answer(.unavailable(.blankApp))
    case .noWeb: answer(.unavailable(.noWebProcesses))
    case .crashed: answer(.unavailable(.appCrashed))
    case .maintenance: answer(.unavailable(.maintenance))
    case .starting: waitForBoot()
    case .live: choose()
    }
  }

  /// The host has another app now, with rules of its own for who may come in.
  private func startAgain() {
    let head = head
    let bytes = head.readableBytesSpan
    leaveGate()
    app = nil
    preferred = nil
    guard RequestParser.parse(bytes, limits: .own, into: worker.requestHead) == .complete else {
      return answer(.unknownHost)
    }
    // A path that a mount has taken away is not there any more: the client has to ask again.
    let isStripped = written.isStripped
    guard route(bytes, worker.requestHead) == 0, !isStripped else { return answer(.unavailable(.platformError)) }
    tried.removeAll(keepingCapacity: true)
    start()
  }

  func leaveGate() {
    gate?.inFlight.subtract(1, ordering: .relaxed)
    gate = nil
  }

  /// The app as it is now; `nil` when the host is no longer its own. The path was looked at when the request came: what
  /// is below a mount stays with its app.
  private func currentApp() -> LoopApp? {
    guard let app, let host else { return nil }
    if seen === worker.snapshot { return app }
    seen = worker.snapshot
    return worker.snapshot.find(host)?.route(of: app.route.app).map { worker.app($0) }
  }

  private func waitForBoot() {
    guard elapsed < worker.limits.boot else { return answer(.unavailable(.bootTimeout)) }
    isHeld = true
    again(after: .milliseconds(250))
  }

  private func choose() {
    guard let app else { return }
    var isFull = false
    guard let index = pick(app, &isFull, trusting: false) ?? pick(app, &isFull, trusting: true) else {
      return isFull ? answer(.unavailable(.backlog)) : failed(.refused)
    }
    let chosen = app.upstreams[index]
    _ = chosen.backend.mayTake(at: worker.now)
    chosen.backend.acquire()
    upstream = chosen
    if let connection = chosen.take() {
      guard needsFresh else { return attach(connection) }
      // A server of one thread may sit on this one; it could not take a new one beside it.
      connection.closeUnused()
    }
    connect(to: chosen)
  }

  /// `trusting`: when nobody else is left, one that has failed lately is better than nothing.
  private func pick(_ app: LoopApp, _ isFull: inout Bool, trusting: Bool) -> Int? {
    let upstreams = app.upstreams
    let queue = app.route.settings.queue ?? worker.limits.queue
    let now = worker.now
    var sawFull = false
    func load(_ index: Int) -> Int? {
      let backend = upstreams[index].backend
      if !tried.isEmpty, tried.contains(ObjectIdentifier(backend)) { return nil }
      if !trusting, backend.isEjected(at: now) { return nil }
      guard backend.waiting < queue else {
        sawFull = true
        return nil
      }
      return backend.inFlight
    }
    defer { isFull = isFull || sawFull }
    if let preferred, let index = upstreams.firstIndex(where: { $0.backend === preferred }), load(index) != nil {
      return index
    }
    app.turn = (app.turn &+ 1) & 0xFFFF
    return app.route.settings.isRoundRobin
      ? Balancer.next(upstreams.count, turn: app.turn, load: load)
      : Balancer.leastLoaded(upstreams.count, turn: app.turn, load: load)
  }

  private func connect(to chosen: LoopUpstream) {
    isConnecting = true
    let mine = stamp
    worker.connect(to: chosen) { [self] result in
      guard mine == stamp, !isOver else {
        // The client has left; whoever ended the exchange has given the instance back.
        if case .success(let connection) = result { worker.keep(connection) }
        return
      }
      isConnecting = false
      switch result {
      case .success(let connection):
        if chosen.backend.isRetired {
          // It has left the table in the meantime, and its address may be another app's. Nothing was sent.
          connection.closeUnused()
          releaseBackend()
          return attempt()
        }
        attach(connection)
      case .failure(let error):
        if error != .exhausted { chosen.backend.failed(at: worker.now) }
        releaseBackend()
        tried.append(ObjectIdentifier(chosen.backend))
        failed(error == .timeout ? .connectTimeout : .refused)
      }
    }
  }

  private func attach(_ connection: UpstreamConnection) {
    guard let client else { return connection.close() }
    self.connection = connection
    seen = nil  // what lasts must not keep an old table alive
    connection.attach(self)
    connected = connected ?? worker.now
    attached = worker.now
    sawResponse = false
    connection.write(head)
    if requestEnded { awaitFirstByte() } else { awaitBody() }
    if !requestEnded {
      client.pump()
      guard !isOver, self.connection === connection else { return }
    }
    connection.flush()
    connection.read()
    client.readIfWanted()
  }

  /// An attempt has failed; its instance is given back.
  func failed(_ failure: RetryPolicy.Failure) {
    guard !isOver else { return }
    switch retry.decide(failure, elapsed: elapsed, othersLeft: othersLeft()) {
    case .tryAnother: attempt()
    case .sendAgain:
      needsFresh = true
      tried.removeAll(keepingCapacity: true)
      attempt()
    case .wait(let pause):
      tried.removeAll(keepingCapacity: true)
      isHeld = true
      again(after: TimeAmount(pause))
    case .giveUp(let code): answer(.unavailable(code))
    }
  }

  private func again(after pause: TimeAmount) {
    let mine = stamp
    turn &+= 1
    let now = turn
    worker.loop.assumeIsolated().scheduleTask(in: pause) { [self] in
      guard mine == stamp, now == turn, isHeld else { return }
      worker.tick()
      attempt()
    }
  }

  private func othersLeft() -> Bool {
    guard let app = currentApp(), app.route.state == .live else { return false }
    return app.upstreams.contains { !tried.contains(ObjectIdentifier($0.backend)) }
  }

  var elapsed: Duration { .nanoseconds((worker.now - arrived).nanoseconds) }
}
