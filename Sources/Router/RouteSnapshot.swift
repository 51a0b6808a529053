import Platform
import Synchronization
import Wire

/// One instance as the router counts it. It outlives the tables that name it, until its last request has ended.
final class Backend: Sendable {
  let endpoint: Endpoint
  /// Requests and tunnels on it, from before the connect to after the last byte.
  private let count = Atomic<Int>(0)
  private let left = Atomic<Bool>(false)
  /// Called, on any thread, when a request ends on a backend that has left the table.
  private let drained: @Sendable () -> Void

  init(_ endpoint: Endpoint, drained: @escaping @Sendable () -> Void) {
    self.endpoint = endpoint
    self.drained = drained
  }

  var inFlight: Int { count.load(ordering: .acquiring) }
  /// It is no longer in the table: nothing new goes there.
  var isRetired: Bool { left.load(ordering: .acquiring) }

  func retire() { left.store(true, ordering: .releasing) }

  func acquire() { count.add(1, ordering: .acquiringAndReleasing) }

  func release() {
    count.subtract(1, ordering: .acquiringAndReleasing)
    if isRetired { drained() }
  }
}

/// One app's routes, ready for lookup.
struct Route: Sendable {
  let app: AppID
  let name: AppName
  let state: RoutedApp.State
  let backends: [Backend]
}

/// A routing table made ready for lookup; immutable, and swapped whole.
final class RouteSnapshot: Sendable {
  let table: RoutingTable?
  /// False until a server of this boot has confirmed it: every app is answered 503 until then.
  let isConfirmed: Bool
  let backends: [Backend]
  private let hosts: [String: Route]

  /// Nothing is known yet.
  static let unknown = RouteSnapshot()

  private init() {
    table = nil
    isConfirmed = false
    backends = []
    hosts = [:]
  }

  /// An endpoint that stays as it was keeps its ``Backend``, and with it its count.
  init(
    _ table: RoutingTable, confirmed: Bool, previous: RouteSnapshot, drained: @escaping @Sendable () -> Void
  ) {
    var known: [Endpoint: Backend] = [:]
    for backend in previous.backends { known[backend.endpoint] = backend }
    var hosts: [String: Route] = [:]
    var all: [Backend] = []
    for app in table.apps {
      let backends = app.endpoints.map { known[$0] ?? Backend($0, drained: drained) }
      all += backends
      let route = Route(app: app.id, name: app.name, state: app.state, backends: backends)
      for host in app.hosts { hosts[host] = route }
    }
    self.table = table
    isConfirmed = confirmed
    backends = all
    self.hosts = hosts
  }

  /// What the table says about a host: lower case, without port or trailing dot.
  enum Lookup {
    case unconfirmed
    case unknownHost
    case found(Route)
  }

  func lookup(_ host: String) -> Lookup {
    guard isConfirmed else { return .unconfirmed }
    return hosts[host].map { .found($0) } ?? .unknownHost
  }
}

/// Which instance takes the next request: the one with the fewest requests in flight; between equals, a turning
/// start keeps the first of the list from taking all.
enum Balancer {
  /// Index of the chosen one; `nil` when all are excluded.
  static func leastLoaded(_ loads: [Int], turn: Int, excluded: (Int) -> Bool = { _ in false }) -> Int? {
    guard !loads.isEmpty else { return nil }
    var best: Int?
    let start = turn % loads.count
    for step in 0..<loads.count {
      let index = (start + step) % loads.count
      if excluded(index) { continue }
      if let known = best, loads[known] <= loads[index] { continue }
      best = index
    }
    return best
  }
}
