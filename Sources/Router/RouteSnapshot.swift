import Platform
import Wire

/// A routing table made ready for lookup; immutable, and swapped whole.
final class RouteSnapshot: Sendable {
  /// False until a server of this boot has confirmed it: every app is answered 503 until then.
  let isConfirmed: Bool
  private let hosts: HostTable

  /// Nothing is known yet.
  static let unknown = RouteSnapshot(HostTable(), confirmed: false)

  init(_ hosts: HostTable, confirmed: Bool) {
    self.hosts = hosts
    isConfirmed = confirmed
  }

  func find(_ host: HostName) -> HostEntry? { hosts.find(host) }
}

/// All apps of the table in force, from which each ``RouteSnapshot`` is made. A change makes new routes for the apps
/// that changed and no others: an endpoint that stays as it was keeps its ``Backend``, and with it its count.
struct RouteSet {
  /// An object, because a report walks over all of them.
  private final class Known: Sendable {
    let app: RoutedApp
    let route: Route

    init(app: RoutedApp, route: Route) {
      self.app = app
      self.route = route
    }
  }

  private var known: [AppID: Known] = [:]
  private var hosts = HostTable()
  /// Who names a host, in whatever way.
  private var claims: [[UInt8]: [AppID]] = [:]
  private var free: [Int] = []
  private var slots = 0
  private let drained: @Sendable () -> Void

  init(drained: @escaping @Sendable () -> Void) { self.drained = drained }

  var apps: [RoutedApp] { known.values.map(\.app) }
  var count: Int { known.count }

  func forEachBackend(_ body: (Backend) -> Void) {
    for app in known.values { app.route.backends.forEach(body) }
  }

  /// Makes the set what the table says. Returns the backends that have left, which are retired.
  mutating func apply(_ table: RoutingTable) -> [Backend] {
    var gone = table.removed ?? []
    if table.base == nil {
      let named = Set(table.apps.map(\.id))
      gone = known.keys.filter { !named.contains($0) }
    }
    var left: [Backend] = []
    var touched: Set<[UInt8]> = []
    for id in gone {
      guard let old = known.removeValue(forKey: id) else { continue }
      left += old.route.backends
      free.append(old.route.slot)
      withdraw(old.app, &touched)
    }
    for app in table.apps where known[app.id]?.app != app {
      left += put(app, touched: &touched)
    }
    for host in touched { hosts.set(host, entry(host, of: (claims[host] ?? []).sorted())) }
    for backend in left { backend.retire() }
    return left
  }

  func snapshot(confirmed: Bool) -> RouteSnapshot {
    RouteSnapshot(hosts, confirmed: confirmed)
  }

  private mutating func put(_ app: RoutedApp, touched: inout Set<[UInt8]>) -> [Backend] {
    let old = known[app.id]
    var present: [Endpoint: Backend] = [:]
    for backend in old?.route.backends ?? [] { present[backend.endpoint] = backend }
    let backends = app.endpoints.map { present.removeValue(forKey: $0) ?? Backend($0, drained: drained) }
    let slot = old?.route.slot ?? free.popLast() ?? newSlot()
    let route = Route(app, slot: slot, backends: backends, gate: old?.route.gate ?? Route.Gate())
    if let old { withdraw(old.app, &touched) }
    for host in Self.hosts(of: app) {
      claims[host, default: []].append(app.id)
      touched.insert(host)
    }
    known[app.id] = Known(app: app, route: route)
    return Array(present.values)
  }

  private mutating func withdraw(_ app: RoutedApp, _ touched: inout Set<[UInt8]>) {
    for host in Self.hosts(of: app) {
      claims[host]?.removeAll { $0 == app.id }
      if claims[host]?.isEmpty == true { claims[host] = nil }
      touched.insert(host)
    }
  }

  private mutating func newSlot() -> Int {
    slots += 1
    return slots - 1
  }

  /// Each once, also when the app has several paths of it.
  private static func hosts(of app: RoutedApp) -> Set<[UInt8]> {
    Set(app.hosts.map { Array($0.utf8) } + (app.mounts ?? []).map { Array($0.host.utf8) })
  }

  /// `nil` when nobody has the host. The server lets one app have it; should a table say otherwise, the oldest wins,
  /// every time.
  private func entry(_ host: [UInt8], of ids: [AppID]) -> HostEntry? {
    let name = String(decoding: host, as: UTF8.self)
    var owner: Route?
    var redirect: HostEntry.Redirection?
    var paths: [HostEntry.Path] = []
    for known in ids.compactMap({ known[$0] }) {
      if owner == nil, known.app.hosts.contains(name) {
        owner = known.route
        // Only who has the whole host may lead it elsewhere.
        redirect = known.app.settings?.redirects?.first { $0.host == name }
          .map { HostEntry.Redirection(to: $0.to, isPermanent: $0.permanent) }
      }
      for mount in known.app.mounts ?? [] where mount.host == name {
        paths.append(.init(prefix: Array(mount.prefix.utf8), strips: mount.strips, route: known.route))
      }
    }
    guard owner != nil || !paths.isEmpty else { return nil }
    paths.sort { $0.prefix.count > $1.prefix.count }
    return HostEntry(name: host, route: owner, paths: paths, redirect: redirect)
  }
}
