import Logging
public import Platform
import Store
import Synchronization
public import Wire

extension ControlPlane {
  var reservedNames: ReservedNames {
    let addresses = [configuration.ssh.host, configuration.http.host, configuration.api.host]
    return ReservedNames(domain: configuration.domain, hosts: addresses + configuration.reservedHosts)
  }

  /// The default name first, then those that were added.
  public func domains(_ app: String, by account: Account) async throws -> [DomainResource] {
    let record = try await find(app, by: account)
    let added = try await store.read { try $0.domains(of: record.id) }
    return [defaultDomain(of: record)] + added.map(Self.resource)
  }

  private func defaultDomain(of app: AppRecord) -> DomainResource {
    DomainResource(
      id: app.id.description, app: NamedReference(id: app.id.description, name: app.name.description),
      hostname: reservedNames.defaultHost(of: app.name), kind: "default", prefix: nil, strip: false,
      created_at: app.createdAt.rfc3339)
  }

  private func isDefault(_ idOrName: String, of app: AppRecord) -> Bool {
    // What is no name is not the default one.
    let name = (try? DomainName(idOrName))?.description
    return idOrName == app.id.description || name == reservedNames.defaultHost(of: app.name)
  }

  public func domain(_ app: String, _ idOrName: String, by account: Account) async throws -> DomainResource {
    let record = try await find(app, by: account)
    let found = try await store.read { ledger in try Self.pick(idOrName, try ledger.domains(of: record.id)) }
    guard let found else {
      guard isDefault(idOrName, of: record) else { throw Self.noDomain(idOrName, of: record) }
      return defaultDomain(of: record)
    }
    return Self.resource(found)
  }

  /// Returns when the router serves the app there. A claim that clashes is refused and written down.
  public func addDomain(_ app: String, _ create: DomainCreate, by account: Account) async throws -> DomainResource {
    let record = try await find(app, by: account)
    let (host, prefix) = try Self.parse(create)
    let claim = NameClaim(app: record.app, host: host, prefix: prefix)
    let strips = create.strip ?? false
    if strips, prefix == nil {
      throw APIError.invalid("there is no path to strip", next: "name one: HOST/PATH --strip")
    }
    let reserved = reservedNames
    let added: Result<DomainRecord, ClaimRefusal> = try await store.write { ledger in
      guard let current = try ledger.app(record.id), current.deletedAt == nil else { throw DeployFailure.appDestroyed }
      // The look and the write are one transaction, so of two claims at once one is refused.
      let held = try ledger.domains()
      let refusal = NameClaims.refusal(
        of: claim, by: account, among: held, apps: try ledger.apps(), reserved: reserved)
      if let refusal { return .failure(refusal) }
      guard held.count(where: { $0.app.id == record.id }) < RouteRules.domainsKept else {
        throw APIError.invalid(
          "an app has \(RouteRules.domainsKept) domains at most",
          next: "remove one, or claim a wildcard: *.example.com")
      }
      let domain = try ledger.addDomain(host, prefix: prefix, strips: strips, app: record.id, by: account)
      guard let domain else { throw APIError(id: "internal_server_error", message: "the domain was not stored") }
      return .success(domain)
    }
    switch added {
    case .success(let domain):
      logs.note(record.id, "Add domain \(domain.shown) by user \(account.email)")
      logger.info("domain added", metadata: ["app": "\(record.name)", "domain": "\(domain.shown)"])
      try await routesInForce(of: record.id, "\(domain.shown) is added")
      return Self.resource(domain)
    case .failure(let refusal):
      throw await refused(claim, because: refusal, by: account)
    }
  }

  public func removeDomain(_ app: String, _ idOrName: String, by account: Account) async throws -> DomainResource {
    let record = try await find(app, by: account)
    let removed = try await store.write { ledger -> DomainRecord? in
      guard let domain = try Self.pick(idOrName, try ledger.domains(of: record.id)) else { return nil }
      try ledger.removeDomain(domain.id)
      // Whoever has the host next did not agree to them.
      if domain.prefix == nil { try ledger.dropRedirects(from: [domain.host.description], of: record.id) }
      return domain
    }
    guard let removed else {
      guard isDefault(idOrName, of: record) else { throw Self.noDomain(idOrName, of: record) }
      throw APIError.conflict(
        "\(reservedNames.defaultHost(of: record.name)) is the default name of \(record.name), which stays",
        next: "see `paas domains -a \(record.name)`")
    }
    logs.note(record.id, "Remove domain \(removed.shown) by user \(account.email)")
    try await routesInForce(of: record.id, "\(removed.shown) is removed")
    return Self.resource(removed)
  }

  /// Leaves the default name.
  public func clearDomains(_ app: String, by account: Account) async throws -> [DomainResource] {
    let record = try await find(app, by: account)
    let removed = try await store.write { ledger in
      let domains = try ledger.domains(of: record.id)
      for domain in domains { try ledger.removeDomain(domain.id) }
      try ledger.dropRedirects(from: domains.filter { $0.prefix == nil }.map(\.host.description), of: record.id)
      return domains
    }
    if !removed.isEmpty {
      logs.note(record.id, "Remove all domains by user \(account.email)")
      try await routesInForce(of: record.id, "all domains are removed")
    }
    return removed.map(Self.resource)
  }

  /// Puts out the routes and returns when every router has them, as a deploy does. Throws `unavailable` when none says
  /// so in time: what was stored is in force as soon as one does.
  func routesInForce(of app: AppID, _ what: String, next: String? = nil) async throws {
    guard let wanted = await publishRoutes(), await routes.inForce(wanted) else {
      logger.error("router did not confirm the routing table in time", metadata: ["app": "\(app)"])
      throw APIError(
        id: "unavailable", message: "\(what), but the router has not confirmed it yet",
        next: next ?? "nothing: it is in force as soon as the router is back; `paas doctor` shows whether it runs")
    }
  }

  /// Written down for the app that wanted it, and told to the one that has it.
  private func refused(_ claim: NameClaim, because refusal: ClaimRefusal, by account: Account) async -> APIError {
    let error = refusal.apiError(claim, for: account)
    if refusal == .held { return error }
    logger.warning(
      "claim of a name refused",
      metadata: [
        "app": "\(claim.app.name)", "domain": "\(claim.shown)", "account": "\(account.email)",
        "cause": "\(refusal)",
      ])
    // Who asks again and again fills neither the other app's log nor the list of failures.
    guard isNews("\(account.id) \(claim.app.id) \(refusal.name ?? claim.host.description)") else { return error }
    logs.note(claim.app.id, "Claim of domain \(claim.shown) refused (\(FailureCode.nameClash.rawValue))")
    if let holder = refusal.holder, isNews("\(account.id) \(holder.id)") {
      logs.note(holder.id, "Another app's claim of domain \(claim.shown) was refused")
    }
    do {
      try await store.write { ledger in
        try ledger.addFailure(
          app: claim.app.id, phase: "domains", code: .nameClash,
          message: "claim of \(claim.shown) by \(account.email) refused: \(error.message)")
      }
    } catch {
      logger.error("refused claim not written down", metadata: ["cause": "\(error)"])
    }
    return error
  }

  /// Not noted within the last hour. Remembers a bounded number.
  private func isNews(_ claim: String) -> Bool {
    let now = ContinuousClock.now
    return claimsNoted.withLock { noted in
      if let last = noted[claim], now - last < .seconds(3600) { return false }
      if noted.count >= 10_000 { noted = noted.filter { now - $0.value < .seconds(3600) } }
      guard noted.count < 10_000 else { return false }
      noted[claim] = now
      return true
    }
  }

  static func parse(_ create: DomainCreate) throws(APIError) -> (DomainName, PathPrefix?) {
    var host = create.hostname
    var path = create.prefix
    if path == nil, !host.contains("://"), let slash = host.firstIndex(of: "/") {
      path = String(host[slash...])
      host = String(host[..<slash])
    }
    do throws(NameError) {
      let name = try DomainName(host)
      return (name, path == "/" ? nil : try path.map { (text) throws(NameError) in try PathPrefix(text) })
    } catch {
      throw .invalid(error)
    }
  }

  private static func pick(_ idOrName: String, _ domains: [DomainRecord]) throws -> DomainRecord? {
    if let found = domains.first(where: { $0.id == idOrName }) { return found }
    guard let (host, prefix) = try? parse(DomainCreate(hostname: idOrName)) else { return nil }  // no name: none has it
    return domains.first { $0.host == host && $0.prefix == prefix }
  }

  private static func noDomain(_ text: String, of app: AppRecord) -> APIError {
    .notFound("domain", text, next: "see `paas domains -a \(app.name)`")
  }

  private static func resource(_ domain: DomainRecord) -> DomainResource {
    DomainResource(
      id: domain.id, app: NamedReference(id: domain.app.id.description, name: domain.app.name.description),
      hostname: domain.host.description, kind: "custom", prefix: domain.prefix?.description, strip: domain.strips,
      created_at: domain.createdAt.rfc3339)
  }
}

extension ClaimRefusal {
  /// The name that is in the way.
  var name: String? {
    switch self {
    case .held, .reserved: nil
    case .taken(_, _, let name), .overlaps(_, _, let name): name
    }
  }

  /// The other app.
  var holder: App? {
    switch self {
    case .held, .reserved: nil
    case .taken(let app, _, _), .overlaps(let app, _, _): app
    }
  }

  /// Names the other app only to somebody who may see it.
  func apiError(_ claim: NameClaim, for account: Account) -> APIError {
    func shown(_ app: App, _ owner: AccountID) -> String {
      account.isAdmin || owner == account.id ? "the app \(app.name)" : "another app"
    }
    let list = "see `paas domains -a \(claim.app.name)`"
    switch self {
    case .held: return .conflict("\(claim.shown) is a domain of \(claim.app.name) already", next: list)
    case .reserved:
      return .conflict("\(claim.shown) belongs to the platform", next: "choose a name outside the platform's domain")
    case .taken(let app, let owner, let name):
      return .conflict("\(name) belongs to \(shown(app, owner))", next: "remove it there first, or choose another name")
    case .overlaps(let app, let owner, let name):
      let what = account.isAdmin || owner == account.id ? name : "a name"
      return .conflict(
        "\(claim.shown) overlaps with \(what) of \(shown(app, owner))",
        next: "whoever may change both apps can share a host between them")
    }
  }
}
