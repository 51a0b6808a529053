import NIOCore
import NIOPosix
import Platform
import Synchronization
import Wire

/// What all event loops of a router share; nothing in it changes on the way of a request but counters.
final class Shared: Sendable {
  let limits: RouterLimits
  let connections: ConnectionLimit
  let trusted: [Network]
  let acceptsProxyProtocol: Bool
  let passwords = Passwords()
  /// Requests that wait for an instance that accepts them.
  let held = Atomic<Int>(0)
  let log: AccessLog

  init(_ configuration: RouterConfiguration, log: AccessLog, connections: Int) {
    limits = configuration.limits
    self.log = log
    self.connections = ConnectionLimit(most: connections, perAddress: limits.connectionsPerAddress)
    trusted = configuration.trustedProxies.compactMap(Network.init)
    acceptsProxyProtocol = configuration.acceptsProxyProtocol
  }

  func isTrusted(_ address: IPAddress) -> Bool { trusted.contains { $0.contains(address) } }
}

/// The limits as NIO counts time.
struct LoopTimes {
  let firstByte, idle, connect, keepAlive, head, body, upstreamIdle, linger, farewell, newcomer, tick: TimeAmount

  init(_ limits: RouterLimits) {
    firstByte = TimeAmount(limits.firstByte)
    idle = TimeAmount(limits.idle)
    connect = TimeAmount(limits.connect)
    keepAlive = TimeAmount(limits.keepAlive)
    head = TimeAmount(limits.head)
    body = TimeAmount(limits.body)
    upstreamIdle = TimeAmount(limits.upstreamIdle)
    linger = TimeAmount(limits.linger)
    farewell = min(TimeAmount(limits.farewell), keepAlive)
    newcomer = min(TimeAmount(limits.newcomer), keepAlive)
    let shortest = [firstByte, idle, keepAlive, head, body, upstreamIdle, linger, farewell].min() ?? .milliseconds(500)
    tick = max(.milliseconds(10), min(.milliseconds(500), .nanoseconds(shortest.nanoseconds / 4)))
  }
}

/// What one event loop owns: its view of the routes, its connections to instances, its clients, and the memory that its
/// requests use again and again. Never leaves the loop.
final class LoopWorker {
  let loop: any EventLoop
  let shared: Shared
  let limits: RouterLimits
  let times: LoopTimes
  let headLimits: HeadLimits
  let log: LoopLog
  private(set) var snapshot = RouteSnapshot.unknown
  private(set) var isDraining = false
  /// When the event that is handled now began.
  private(set) var now = NIODeadline.now()
  var clock = LoopClock()
  /// Requests that no app was found for, or that were refused before one was looked for.
  var refused = 0

  // Memory.
  let requestHead = RequestHead()
  let responseHead = ResponseHead()
  private var scratch = ByteBuffer()
  private var exchanges: [Exchange] = []
  private var random = Xoshiro()

  private var clients: [ClientConnection] = []
  private var held: [Exchange] = []
  /// By ``Route/slot``.
  private(set) var apps: [LoopApp?] = []
  private var sweeper: RepeatedTask?

  init(loop: any EventLoop, shared: Shared) {
    self.loop = loop
    self.shared = shared
    limits = shared.limits
    times = LoopTimes(shared.limits)
    var headLimits = HeadLimits()
    headLimits.bytes = limits.headBytes
    headLimits.fields = limits.headFields
    headLimits.target = min(limits.targetBytes, limits.headBytes)
    headLimits.value = max(limits.headBytes / 2, 1024)
    self.headLimits = headLimits
    log = LoopLog(shared.log)
    let mine = NIOLoopBound(self, eventLoop: loop)
    sweeper = loop.scheduleRepeatedTask(initialDelay: times.tick, delay: times.tick) { _ in mine.value.sweep() }
  }

  /// Looks at the time, once per event.
  func tick() { now = .now() }

  /// Two words nobody else has (request ids).
  func randomWords() -> (UInt64, UInt64) { (random.next(), random.next()) }

  // MARK: routes

  /// From here on no request of this loop goes to an instance that is not in the table.
  func apply(_ snapshot: RouteSnapshot, retired: [Backend]) {
    self.snapshot = snapshot
    tick()
    if !retired.isEmpty {
      let gone = Set(retired.map(ObjectIdentifier.init))
      for app in apps {
        for upstream in app?.upstreams ?? [] where gone.contains(ObjectIdentifier(upstream.backend)) {
          upstream.close { _ in true }
        }
      }
    }
    for exchange in held where exchange.isHeld { exchange.attempt() }
  }

  /// The loop's own view of a route.
  func app(_ route: Route) -> LoopApp {
    let slot = route.slot
    while apps.count <= slot { apps.append(nil) }
    if let mine = apps[slot], mine.route.app == route.app {
      if mine.route !== route { mine.refresh(route) }
      return mine
    }
    let mine = LoopApp(route)
    apps[slot] = mine
    return mine
  }

  // MARK: exchanges

  func makeExchange(for client: ClientConnection) -> Exchange {
    let exchange = exchanges.popLast() ?? Exchange(worker: self)
    exchange.client = client
    exchange.isOver = false
    return exchange
  }

  func recycle(_ exchange: Exchange) {
    exchange.reset()
    if exchanges.count < 256 { exchanges.append(exchange) }
  }

  func heldChanged(_ exchange: Exchange, isHeld: Bool) {
    shared.held.add(isHeld ? 1 : -1, ordering: .relaxed)
    if isHeld {
      exchange.heldIndex = held.count
      held.append(exchange)
    } else if let last = held.popLast(), last !== exchange {
      held[exchange.heldIndex] = last
      last.heldIndex = exchange.heldIndex
    }
  }

  /// An empty buffer to write into. Its memory comes back with ``giveScratch(_:)``.
  func takeScratch() -> ByteBuffer {
    var buffer = scratch
    scratch = ByteBuffer()
    buffer.clear()
    return buffer
  }

  func giveScratch(_ buffer: ByteBuffer) {
    if buffer.capacity <= 64 << 10 { scratch = buffer }
  }

  // MARK: clients

  func opened(_ client: ClientConnection) {
    tick()
    client.index = clients.count
    clients.append(client)
  }

  func closed(_ client: ClientConnection) {
    guard client.index < clients.count, clients[client.index] === client, let last = clients.popLast() else { return }
    if last !== client {
      clients[client.index] = last
      last.index = client.index
    }
  }

  var openClients: Int { clients.count }

  /// Idle clients are closed now, the others after their response.
  func drain() {
    isDraining = true
    tick()
    for client in clients { client.drain() }
    for app in apps { app?.upstreams.forEach { $0.close { _ in true } } }
  }

  /// Ends what is left.
  func close() {
    tick()
    for client in clients { client.cut() }
    sweeper?.cancel()
    for app in apps { app?.upstreams.forEach { $0.close { _ in true } } }
    log.flush()
  }

  /// A few times a second: what is due, and what has rested too long.
  private func sweep() {
    tick()
    var index = clients.count - 1
    while index >= 0 {
      if index < clients.count {
        let client = clients[index]
        if client.deadline <= now { client.expire() }
      }
      index -= 1
    }
    let oldest = now - times.upstreamIdle
    for app in apps {
      guard let app else { continue }
      for upstream in app.upstreams where !upstream.idle.isEmpty { upstream.close { $0.idleSince < oldest } }
    }
    log.confess(apps, worker: self)
    log.flush()
  }
}

/// xoshiro256** (Blackman and Vigna), seeded by the system: fast, and never the same twice in practice; not for secrets.
struct Xoshiro: RandomNumberGenerator {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  init() {
    var system = SystemRandomNumberGenerator()
    state = (system.next() | 1, system.next(), system.next(), system.next())
  }

  mutating func next() -> UInt64 {
    let product = state.1 &* 5
    let result = (product &<< 7 | product &>> 57) &* 9
    let shifted = state.1 &<< 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = state.3 &<< 45 | state.3 &>> 19
    return result
  }
}
