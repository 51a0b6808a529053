import Platform
import Store
import Wire

/// What the ledger says about one app's routes.
struct RouteWish: Sendable, Equatable {
  var app: App
  /// Something with a slug is live.
  var isDeployed: Bool
  /// How many `web` of which launch; `nil` when the live release has none.
  var web: FormationRecord?
  var domains: [DomainRecord] = []
  var isInMaintenance = false
  var settings: RouteSettings?
  /// It is in maintenance because nobody knows what its settings are.
  var hasUnreadableSettings = false
}

/// The routing table as a function of the ledger and of what runs.
enum RouteTable {
  /// Names that would be refused today, because the platform has other names than when they were claimed.
  static func stale(_ wishes: [RouteWish], apps: [AppRecord], reserved: ReservedNames) -> [DomainRecord] {
    let holders = Dictionary(apps.map { ($0.name.description, $0) }) { first, _ in first }
    return wishes.flatMap(\.domains).filter { domain in
      let claim = NameClaim(app: domain.app, host: domain.host, prefix: domain.prefix)
      return NameClaims.reservation(claim, by: domain.account, reserved: reserved) { holders[$0] } != nil
    }
  }

  static func apps(_ wishes: [RouteWish], instances: [Instance], domain: String, without stale: Set<String> = [])
    -> [RoutedApp]
  {
    let byApp = Dictionary(grouping: instances.filter { $0.key.process == .web }, by: \.key.app)
    let apps = wishes.map { wish in
      let wanted = wanted(of: wish.web, among: byApp[wish.app.id] ?? [])
      let endpoints = wanted.compactMap { instance -> Endpoint? in
        guard case .up = instance.state, let address = instance.address else { return nil }
        return Endpoint(instance: instance.id, name: instance.name, address: address)
      }
      let domains = wish.domains.filter { !stale.contains($0.id) }
      let hosts = domains.filter { $0.prefix == nil }.map(\.host.description)
      let mounts = domains.compactMap { domain in
        domain.prefix.map { Mount(host: domain.host.description, prefix: $0.description, strips: domain.strips) }
      }
      return RoutedApp(
        id: wish.app.id, name: wish.app.name, hosts: ["\(wish.app.name).\(domain)".lowercased()] + hosts,
        state: state(of: wish, isServed: !endpoints.isEmpty, isStarting: wanted.contains { $0.state == .starting }),
        endpoints: endpoints, mounts: mounts.isEmpty ? nil : mounts, settings: wish.settings)
    }
    return withNamesBelowWildcards(apps)
  }

  /// A name of which only paths are claimed belongs, for the rest, to the wildcard that it lies below: as a host of that
  /// app, so that the router has one answer per name.
  private static func withNamesBelowWildcards(_ apps: [RoutedApp]) -> [RoutedApp] {
    let mounted = Set(apps.flatMap { $0.mounts ?? [] }.map(\.host))
    guard !mounted.isEmpty else { return apps }
    var holders: [String: Int] = [:]
    for (index, app) in apps.enumerated() { for host in app.hosts { holders[host] = index } }
    var apps = apps
    for host in mounted.sorted() where holders[host] == nil {
      var rest = host.hasPrefix("*.") ? host.dropFirst(2) : host[...]
      while let dot = rest.firstIndex(of: ".") {
        rest = rest[rest.index(after: dot)...]
        guard let index = holders["*.\(rest)"] else { continue }
        apps[index].hosts.append(host)
        break
      }
    }
    return apps
  }

  /// The instances of the launch that should serve, by index.
  private static func wanted(of web: FormationRecord?, among instances: [Instance]) -> [Instance] {
    guard let web, let launch = web.launch else { return [] }
    return instances.filter { $0.key.launch == launch && $0.index <= web.quantity }.sorted { $0.index < $1.index }
  }

  private static func state(of wish: RouteWish, isServed: Bool, isStarting: Bool) -> RoutedApp.State {
    if wish.isInMaintenance { return .maintenance }
    if !wish.isDeployed { return .blank }
    guard let web = wish.web, web.quantity > 0 else { return .noWeb }
    if isServed { return .live }
    return isStarting ? .starting : .crashed
  }
}
