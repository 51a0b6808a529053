import Linux
import Logging
public import Platform
import Store
import Synchronization
public import Wire

/// Which of an app's own pages.
public enum PageKind: String, Sendable, CaseIterable { case error, maintenance }

// What an app's owner sets for its routes. It makes no release; each change is in force at the router on return.
extension ControlPlane {
  public func routing(_ app: String, by account: Account) async throws -> RoutingResource {
    let record = try await find(app, by: account)
    return try Self.resource(record, try await store.read { try $0.routeSettings(of: record.id) })
  }

  public func updateRouting(_ app: String, _ update: RoutingUpdate, by account: Account) async throws
    -> RoutingResource
  {
    try await changeRoutes(app, "Change routing", by: account) { settings, _, _ in
      try RouteRules.apply(update, to: &settings)
    }
  }

  public func setMaintenance(_ app: String, _ isOn: Bool, by account: Account) async throws -> AppResource {
    let what = isOn ? "Enable maintenance mode" : "Disable maintenance mode"
    _ = try await changeRoutes(app, what, by: account) { _, maintenance, _ in maintenance = isOn }
    return try await self.app(app, by: account)
  }

  public func addRedirect(_ app: String, _ wanted: RedirectResource, by account: Account) async throws
    -> RedirectResource
  {
    let standard = reservedNames
    let from = try Self.host(wanted.from)
    let routing = try await changeRoutes(app, "Add redirect from \(from)", by: account) { settings, _, ledger in
      let hosts = try ledger.store.domains(of: ledger.app.id).filter { $0.prefix == nil }.map(\.host.description)
      let redirect = try RouteRules.redirect(
        wanted, hosts: Set(hosts + [standard.defaultHost(of: ledger.app.name)]))
      var redirects = (settings.redirects ?? []).filter { $0.host != redirect.host }
      guard redirects.count < RouteRules.redirectsKept else {
        throw APIError.invalid("an app has \(RouteRules.redirectsKept) redirects at most")
      }
      redirects.append(redirect)
      settings.redirects = redirects
    }
    guard let made = routing.redirects.first(where: { $0.from == from }) else {
      throw APIError.notFound("redirect", from)
    }
    return made
  }

  public func removeRedirect(_ app: String, _ from: String, by account: Account) async throws -> RedirectResource {
    let host = try Self.host(from)
    let removed = Mutex(RedirectResource?.none)
    _ = try await changeRoutes(app, "Remove redirect from \(host)", by: account) { settings, _, _ in
      guard let redirect = settings.redirects?.first(where: { $0.host == host }) else {
        throw APIError.notFound("redirect from", host, next: "see `paas redirects`")
      }
      removed.withLock { $0 = RedirectResource(redirect) }
      settings.redirects?.removeAll { $0.host == host }
      if settings.redirects?.isEmpty == true { settings.redirects = nil }
    }
    return removed.withLock { $0 } ?? RedirectResource(from: host, to: "", permanent: false)
  }

  /// Without a password one is made. It is in the answer and nowhere else.
  public func addUser(_ app: String, _ wanted: BasicUserResource, by account: Account) async throws
    -> BasicUserResource
  {
    let record = try await find(app, by: account)
    let password = wanted.password ?? RouteRules.newPassword()
    try RouteRules.checkUser(wanted.name, password: password)
    let user = try await blocking { try RouteRules.user(wanted.name, password: password) }
    // The one that was made is lost with an error.
    let again = "run `paas auth:add \(user.name)` again: it makes another password"
    let next = wanted.password == nil ? again : nil
    _ = try await changeRoutes(record.id.description, "Add user \(user.name)", by: account, next: next) {
      settings, _, _ in
      var users = (settings.users ?? []).filter { $0.name != user.name }
      guard users.count < RouteRules.usersKept else {
        throw APIError.invalid("an app has \(RouteRules.usersKept) users at most")
      }
      users.append(user)
      settings.users = users
    }
    return BasicUserResource(name: user.name, password: wanted.password == nil ? password : nil)
  }

  /// With the last user the app is open to everybody again.
  public func removeUser(_ app: String, _ name: String, by account: Account) async throws -> BasicUserResource {
    _ = try await changeRoutes(app, "Remove user \(printable(name))", by: account) { settings, _, _ in
      guard settings.users?.contains(where: { $0.name == name }) == true else {
        throw APIError.notFound("user", name, next: "see `paas auth`")
      }
      settings.users?.removeAll { $0.name == name }
      if settings.users?.isEmpty == true { settings.users = nil }
    }
    return BasicUserResource(name: name)
  }

  public func allowNetworks(_ app: String, _ texts: [String], by account: Account) async throws -> NetworksResource {
    let networks = try Self.networks(texts)
    let what = "Allow \(networks.joined(separator: " "))"
    let routing = try await changeRoutes(app, what, by: account) { settings, _, _ in
      let old = Self.canonical(settings.allowedNetworks)
      let all = old + networks.filter { !old.contains($0) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
      guard all.count <= RouteRules.networksKept else {
        throw APIError.invalid("an app has \(RouteRules.networksKept) networks at most")
      }
      settings.allowedNetworks = all
    }
    return NetworksResource(networks: routing.ips)
  }

  /// Takes networks from the list; the last one stays, as without any the app would be open to everybody.
  public func removeNetworks(_ app: String, _ texts: [String], by account: Account) async throws -> NetworksResource {
    let networks = try Self.networks(texts)
    let what = "Allow \(networks.joined(separator: " ")) no more"
    let routing = try await changeRoutes(app, what, by: account) { settings, _, _ in
      let old = Self.canonical(settings.allowedNetworks)
      for network in networks where !old.contains(network) {
        throw APIError.notFound("network", network, next: "see `paas ips`")
      }
      let left = old.filter { !networks.contains($0) }
      guard !left.isEmpty else {
        throw APIError.conflict(
          "without a network the app would be open to everybody", next: "if that is meant: paas ips:clear")
      }
      settings.allowedNetworks = left
    }
    return NetworksResource(networks: routing.ips)
  }

  private static func networks(_ texts: [String]) throws(APIError) -> [String] {
    if texts.isEmpty { throw .invalid("name at least one network") }
    var result: [String] = []
    do throws(NameError) {
      for text in texts { result.append(try Network(text).description) }
    } catch {
      throw .invalid(error)
    }
    return result
  }

  /// In the one form of each, also those that an earlier server has stored in another.
  private static func canonical(_ networks: [String]?) -> [String] {
    // What is no network was never stored; it would be left as it is.
    (networks ?? []).map { (try? Network($0))?.description ?? $0 }
  }

  /// The app is open to everybody again.
  public func clearNetworks(_ app: String, by account: Account) async throws -> NetworksResource {
    _ = try await changeRoutes(app, "Allow all networks", by: account) { settings, _, _ in
      settings.allowedNetworks = nil
    }
    return NetworksResource(networks: [])
  }

  /// `nil`: the router's own page again.
  public func setPage(_ app: String, _ kind: PageKind, html: [UInt8]?, by account: Account) async throws
    -> RoutingResource
  {
    let page = try html.map(RouteRules.page)
    let what = page == nil ? "Remove \(kind.rawValue) page" : "Set \(kind.rawValue) page"
    return try await changeRoutes(app, what, by: account) { settings, _, _ in
      switch kind {
      case .error: settings.errorPage = page
      case .maintenance: settings.maintenancePage = page
      }
    }
  }

  public func page(_ app: String, _ kind: PageKind, by account: Account) async throws -> String {
    let record = try await find(app, by: account)
    let settings = try await store.read { try $0.routeSettings(of: record.id).decoded }
    guard let page = kind == .error ? settings.errorPage : settings.maintenancePage else {
      throw APIError.notFound("page", kind.rawValue, next: "set it with `paas pages:set \(kind.rawValue) FILE`")
    }
    return page
  }

  private struct Place {
    var store: Ledger
    var app: AppRecord
  }

  /// One transaction from the look at the settings to the write, then the routers' acknowledgement. A change that
  /// changes nothing ends at once.
  private func changeRoutes(
    _ app: String, _ what: String, by account: Account, next: String? = nil,
    _ body: @escaping @Sendable (inout RouteSettings, inout Bool, Place) throws -> Void
  ) async throws -> RoutingResource {
    let record = try await find(app, by: account)
    let (stored, isChanged) = try await store.write { ledger in
      guard let current = try ledger.app(record.id), current.deletedAt == nil else { throw DeployFailure.appDestroyed }
      let old = try ledger.routeSettings(of: record.id)
      var (settings, maintenance) = (try old.decoded, old.isInMaintenance)
      let before = settings
      try body(&settings, &maintenance, Place(store: ledger, app: current))
      let new = try RouteSettingsRecord(isInMaintenance: maintenance, settings)
      let isChanged = before != settings || maintenance != old.isInMaintenance
      if isChanged {
        if new.settings.utf8.count > old.settings.utf8.count { try Self.checkSize(new, of: current, in: ledger) }
        try ledger.setRouteSettings(new, of: record.id)
      }
      return (new, isChanged)
    }
    if isChanged {
      logs.note(record.id, "\(what) by user \(account.email)")
      logger.info("routing changed", metadata: ["app": "\(record.name)", "what": "\(what)"])
    }
    // Also when nothing changed: an earlier call may have stored it without seeing it in force.
    try await routesInForce(of: record.id, "the change is stored", next: next)
    return try Self.resource(record, stored)
  }

  private static func checkSize(_ new: RouteSettingsRecord, of app: AppRecord, in ledger: Ledger) throws {
    let others = Set(try ledger.apps().filter { $0.owner.id == app.owner.id && $0.id != app.id }.map(\.id))
    let size = try ledger.routeSettings().filter { others.contains($0.key) }.values
      .reduce(new.settings.utf8.count) { $0 + $1.settings.utf8.count }
    guard size <= RouteRules.accountLimit else {
      throw APIError.invalid(
        "the routing settings of all apps of an account have \(RouteRules.accountLimit) bytes at most",
        next: "make pages shorter, or remove some: paas pages:unset")
    }
  }

  private static func resource(_ app: AppRecord, _ record: RouteSettingsRecord) throws -> RoutingResource {
    RoutingResource(
      app: NamedReference(id: app.id.description, name: app.name.description), maintenance: record.isInMaintenance,
      settings: try record.decoded)
  }

  private static func host(_ text: String) throws(APIError) -> String {
    do throws(NameError) { return try DomainName(text).description } catch { throw .invalid(error) }
  }
}
