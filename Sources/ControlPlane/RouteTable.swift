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
}

/// The routing table as a function of the ledger and of what runs.
enum RouteTable {
  static func apps(_ wishes: [RouteWish], instances: [Instance], domain: String) -> [RoutedApp] {
    let byApp = Dictionary(grouping: instances.filter { $0.key.process == .web }, by: \.key.app)
    return wishes.map { wish in
      let endpoints = endpoints(of: wish.web, among: byApp[wish.app.id] ?? [])
      return RoutedApp(
        id: wish.app.id, name: wish.app.name, hosts: ["\(wish.app.name).\(domain)".lowercased()],
        state: state(of: wish, isServed: !endpoints.isEmpty), endpoints: endpoints)
    }
  }

  private static func endpoints(of web: FormationRecord?, among instances: [Instance]) -> [Endpoint] {
    guard let web, let launch = web.launch else { return [] }
    return instances.filter { $0.key.launch == launch && $0.index <= web.quantity }.sorted { $0.index < $1.index }
      .compactMap { instance in
        guard case .up = instance.state, let address = instance.address else { return nil }
        return Endpoint(instance: instance.id, name: instance.name, address: address)
      }
  }

  private static func state(of wish: RouteWish, isServed: Bool) -> RoutedApp.State {
    if !wish.isDeployed { return .blank }
    guard let web = wish.web, web.quantity > 0 else { return .noWeb }
    return isServed ? .live : .crashed
  }
}
