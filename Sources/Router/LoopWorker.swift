import NIOCore
import NIOHTTP1
import NIOPosix
import Platform
import Synchronization
import Wire

/// Numbers of the whole router.
final class Counters: Sendable {
  /// Requests that wait for an instance that accepts them.
  let held = Atomic<Int>(0)
}

/// What one event loop owns: its view of the routes, its connections to instances, its clients. Never leaves the loop.
final class LoopWorker {
  let loop: any EventLoop
  let limits: RouterLimits
  let log: AccessLog
  let counters: Counters
  private(set) var snapshot = RouteSnapshot.unknown
  private(set) var isDraining = false
  let pool: UpstreamPool
  private var clients: [ObjectIdentifier: ClientConnection] = [:]
  private var turn = 0
  private var sweeper: RepeatedTask?

  init(loop: any EventLoop, limits: RouterLimits, log: AccessLog, counters: Counters) {
    self.loop = loop
    self.limits = limits
    self.log = log
    self.counters = counters
    pool = UpstreamPool(idleLimit: limits.upstreamIdle, most: limits.upstreamConnections)
    let period = TimeAmount(limits.upstreamIdle / 2)
    let mine = NIOLoopBound(pool, eventLoop: loop)
    sweeper = loop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in mine.value.sweep() }
  }

  /// From here on no request of this loop goes to an instance that is not in the table.
  func apply(_ snapshot: RouteSnapshot) {
    self.snapshot = snapshot
    pool.closeRetired()
  }

  /// A starting point for the balancer that moves with each request.
  func nextTurn() -> Int {
    turn = (turn &+ 1) & 0xFFFF
    return turn
  }

  func opened(_ client: ClientConnection) { clients[ObjectIdentifier(client)] = client }
  func closed(_ client: ClientConnection) { clients[ObjectIdentifier(client)] = nil }
  var openClients: Int { clients.count }

  /// Idle clients are closed now, the others after their response.
  func drain() {
    isDraining = true
    for client in Array(clients.values) { client.drain() }
  }

  /// Ends what is left.
  func close() {
    for client in Array(clients.values) { client.cut() }
    sweeper?.cancel()
    pool.closeAll()
  }

  /// A new connection to an instance.
  func connect(to backend: Backend, _ done: @escaping (Result<UpstreamConnection, any Error>) -> Void) {
    let address = backend.endpoint.address
    let target: SocketAddress
    do {
      target = try SocketAddress(ipAddress: address.host, port: address.port)
    } catch {
      return done(.failure(error))
    }
    let pool = NIOLoopBound(pool, eventLoop: loop)
    ClientBootstrap(group: loop)
      .channelOption(.autoRead, value: false)
      .connectTimeout(TimeAmount(limits.connect))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try UpstreamConnection.configure(channel, backend: backend, pool: pool.value)
        }
      }
      .connect(to: target)
      .assumeIsolated()
      .whenComplete { result in
        done(Result { try result.get().pipeline.syncOperations.handler(type: UpstreamConnection.self) })
      }
  }
}
