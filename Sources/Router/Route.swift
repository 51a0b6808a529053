import NIOCore
import Platform
import Synchronization
import Wire

/// One app's way through the router, made ready once per change of it.
final class Route: Sendable {
  let app: AppID
  let name: AppName
  /// Where the event loops keep what they count about it; stays the same as long as the app is in the table.
  let slot: Int
  let state: RoutedApp.State
  let backends: [Backend]
  let settings: Settings
  /// Requests of the app in flight, for its limit of concurrency; survives changes of the route.
  let gate: Gate

  final class Gate: Sendable {
    let inFlight = Atomic<Int>(0)
  }

  /// ``RouteSettings`` with everything parsed.
  struct Settings: Sendable {
    var isRoundRobin = false
    var isSticky = false
    var users: [BasicUser] = []
    /// `nil`: everybody's.
    var allowed: [Network]?
    var bodyLimit: Int?
    var concurrency: Int?
    var queue: Int?
    var firstByte: TimeAmount?
    var idle: TimeAmount?
    var logs = true
    var errorPage: String?
    var maintenancePage: String?

    init(_ settings: RouteSettings?) {
      guard let settings else { return }
      isRoundRobin = settings.balancing == .roundRobin
      isSticky = settings.sticky ?? false
      users = settings.users ?? []
      // A network that cannot be read lets nobody in.
      if let networks = settings.allowedNetworks, !networks.isEmpty { allowed = networks.compactMap(Network.init) }
      bodyLimit = settings.bodyLimit
      concurrency = settings.concurrency
      queue = settings.queue
      firstByte = settings.firstByteSeconds.map { .seconds(Int64($0)) }
      idle = settings.idleSeconds.map { .seconds(Int64($0)) }
      logs = settings.logs ?? true
      errorPage = settings.errorPage
      maintenancePage = settings.maintenancePage
    }
  }

  init(_ app: RoutedApp, slot: Int, backends: [Backend], gate: Gate) {
    self.app = app.id
    name = app.name
    self.slot = slot
    state = app.state
    self.backends = backends
    settings = Settings(app.settings)
    self.gate = gate
  }
}
