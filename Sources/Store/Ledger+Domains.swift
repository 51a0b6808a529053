import GRDB
public import Platform

/// A row of `domains`: a name, or a path of one, that leads to an app.
public struct DomainRecord: Sendable, Equatable {
  public var id: String
  public var app: App
  /// Whose app it is.
  public var owner: AccountID
  public var host: DomainName
  /// `nil`: the whole host.
  public var prefix: PathPrefix?
  /// The instance sees the path without the prefix.
  public var strips: Bool
  /// Who claimed it.
  public var account: Account
  public var createdAt: Timestamp

  /// `www.example.com/api`
  public var shown: String { host.description + (prefix?.description ?? "") }

  public init(
    id: String, app: App, owner: AccountID, host: DomainName, prefix: PathPrefix?, strips: Bool, account: Account,
    createdAt: Timestamp
  ) {
    self.id = id
    self.app = app
    self.owner = owner
    self.host = host
    self.prefix = prefix
    self.strips = strips
    self.account = account
    self.createdAt = createdAt
  }
}

/// A row of `route_settings`.
public struct RouteSettingsRecord: Sendable, Equatable {
  public var isInMaintenance: Bool
  /// The settings as the JSON of the wire's `RouteSettings`.
  public var settings: String

  public init(isInMaintenance: Bool = false, settings: String = "{}") {
    self.isInMaintenance = isInMaintenance
    self.settings = settings
  }
}

// Names and route settings. Whether a name may be claimed is not decided here, but within the transaction that adds it.
extension Ledger {
  /// All of them, by host and prefix.
  public func domains() throws -> [DomainRecord] { try domains(where: "TRUE", []) }

  public func domains(of app: AppID) throws -> [DomainRecord] { try domains(where: "d.app = ?", [app.description]) }

  public func addDomain(_ host: DomainName, prefix: PathPrefix?, strips: Bool, app: AppID, by account: Account) throws
    -> DomainRecord?
  {
    let id = ID<DomainTag>().description
    try database.execute(
      sql: "INSERT INTO domains VALUES (?, ?, ?, ?, ?, ?, ?)",
      arguments: [
        id, app.description, host.description, prefix?.description ?? "", strips, account.id.description,
        Timestamp.now.microseconds,
      ])
    return try domains(where: "d.id = ?", [id]).first
  }

  public func removeDomain(_ id: String) throws {
    try database.execute(sql: "DELETE FROM domains WHERE id = ?", arguments: [id])
  }

  /// Removes what other apps have mounted below this host: it goes, and whoever has it next did not agree to them.
  public func removeMounts(on host: String) throws {
    try database.execute(sql: "DELETE FROM domains WHERE host = ? AND prefix <> ''", arguments: [host])
  }

  public func routeSettings(of app: AppID) throws -> RouteSettingsRecord {
    let row = try Row.fetchOne(
      database, sql: "SELECT maintenance, settings FROM route_settings WHERE app = ?", arguments: [app.description])
    guard let row else { return RouteSettingsRecord() }
    return try Self.settings(row)
  }

  public func setRouteSettings(_ record: RouteSettingsRecord, of app: AppID) throws {
    try database.execute(
      sql: """
        INSERT INTO route_settings VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
          SET maintenance = excluded.maintenance, settings = excluded.settings, updated_at = excluded.updated_at
        """,
      arguments: [app.description, record.isInMaintenance, record.settings, Timestamp.now.microseconds])
  }

  /// Of every app that has any.
  public func routeSettings() throws -> [AppID: RouteSettingsRecord] {
    var result: [AppID: RouteSettingsRecord] = [:]
    for row in try Row.fetchAll(database, sql: "SELECT app, maintenance, settings FROM route_settings") {
      result[try Columns(row, "route_settings").id("app")] = try Self.settings(row)
    }
    return result
  }

  /// What the routes need of every app's live release and formation, in one query however many apps there are.
  public func liveWebs() throws -> [LiveWeb] {
    let sql = """
      SELECT p.id, p.name, r.slug IS NOT NULL AS deployed,
        json_extract(r.process_types, '$.web') IS NOT NULL AS has_web, f.quantity, f.launch
      FROM apps p LEFT JOIN releases r ON r.id = p.current_release
        LEFT JOIN formations f ON f.app = p.id AND f.type = 'web'
      WHERE p.deleted_at IS NULL ORDER BY p.name
      """
    return try Row.fetchAll(database, sql: sql).map { row in
      let columns = Columns(row, "apps")
      let quantity = columns.optionalInteger("quantity")
      let hasWeb = columns.optionalInteger("has_web") == 1
      let launch: LaunchID? = try columns.optionalID("launch")
      return LiveWeb(
        app: App(id: try columns.id("id"), name: try columns.name("name")),
        isDeployed: columns.optionalInteger("deployed") == 1,
        web: hasWeb ? quantity.map { FormationRecord(type: .web, quantity: $0, launch: launch) } : nil)
    }
  }

  private static func settings(_ row: Row) throws -> RouteSettingsRecord {
    let columns = Columns(row, "route_settings")
    return RouteSettingsRecord(
      isInMaintenance: try columns.integer("maintenance") != 0, settings: try columns.text("settings"))
  }

  private func domains(where condition: String, _ arguments: StatementArguments) throws -> [DomainRecord] {
    let sql = """
      SELECT d.*, p.name AS app_name, p.owner, a.id AS account_id, a.email, a.is_admin
      FROM domains d JOIN apps p ON p.id = d.app JOIN accounts a ON a.id = d.account
      WHERE \(condition) ORDER BY d.host, d.prefix
      """
    return try Row.fetchAll(database, sql: sql, arguments: arguments).map { row in
      let columns = Columns(row, "domains")
      let prefix = try columns.text("prefix")
      return DomainRecord(
        id: try columns.text("id"), app: App(id: try columns.id("app"), name: try columns.name("app_name")),
        owner: try columns.id("owner"), host: try columns.name("host"),
        prefix: prefix.isEmpty ? nil : try columns.name("prefix"), strips: try columns.integer("strips") != 0,
        account: try columns.account(), createdAt: try columns.time("created_at"))
    }
  }
}

/// An app as its routes see it.
public struct LiveWeb: Sendable, Equatable {
  public var app: App
  /// Something with a slug is live.
  public var isDeployed: Bool
  /// How many `web` of which launch; `nil` when the live release has none.
  public var web: FormationRecord?
}

private enum DomainTag {}
