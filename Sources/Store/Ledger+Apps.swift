import GRDB
public import Platform

// Apps and their formations.
extension Ledger {
  /// All apps that exist, by name.
  public func apps() throws -> [AppRecord] { try apps(where: "p.deleted_at IS NULL ORDER BY p.name", []) }

  public func app(named name: AppName) throws -> AppRecord? {
    try apps(where: "p.deleted_at IS NULL AND p.name = ?", [name.description]).first
  }

  /// Also one that is being destroyed: look at `deletedAt`.
  public func app(_ id: AppID) throws -> AppRecord? { try apps(where: "p.id = ?", [id.description]).first }

  /// Throws ``StoreError/nameTaken(_:)``.
  public func createApp(_ name: AppName, owner: Account) throws -> AppRecord {
    if try app(named: name) != nil { throw StoreError.nameTaken(name) }
    let index = try Int.fetchOne(
      database, sql: "UPDATE installation SET next_uid_index = next_uid_index + 1 RETURNING next_uid_index - 1")
    let now = Timestamp.now
    let record = AppRecord(
      app: App(id: AppID(), name: name), owner: owner, uidIndex: index ?? 0, createdAt: now, updatedAt: now)
    try database.execute(
      sql: "INSERT INTO apps (id, name, owner, uid_index, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
      arguments: [
        record.id.description, name.description, owner.id.description, record.uidIndex, now.microseconds,
        now.microseconds,
      ])
    return record
  }

  /// Takes its names away, host names too, and writes the intent to remove the rest; the second call does nothing.
  public func beginDestroy(_ app: AppID) throws {
    let now = Timestamp.now.microseconds
    try database.execute(
      sql: "UPDATE apps SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL", arguments: [now, app.description])
    guard database.changesCount > 0 else { return }
    try database.execute(sql: "DELETE FROM domains WHERE app = ?", arguments: [app.description])
    try addIntent(.destroy, app: app, launch: nil)
  }

  /// Removes every row of an app: the end of a destroy.
  public func purge(_ app: AppID) throws {
    let id = app.description
    try database.execute(sql: "UPDATE apps SET current_release = NULL WHERE id = ?", arguments: [id])
    try database.execute(
      sql: "DELETE FROM release_config WHERE release IN (SELECT id FROM releases WHERE app = ?)", arguments: [id])
    for table in [
      "ref_updates", "builds", "releases", "config_values", "formations", "intents", "failures", "domains",
      "route_settings",
    ] {
      try database.execute(sql: "DELETE FROM \(table) WHERE app = ?", arguments: [id])
    }
    try database.execute(sql: "DELETE FROM apps WHERE id = ?", arguments: [id])
  }

  /// Removes slugs that no release and no build names, from the ledger; the caller removes the files.
  public func dropUnusedSlugs() throws -> [SlugDigest] {
    let rows = try String.fetchAll(
      database,
      sql: """
        DELETE FROM slugs WHERE digest NOT IN (SELECT slug FROM releases WHERE slug IS NOT NULL)
          AND digest NOT IN (SELECT slug FROM builds WHERE slug IS NOT NULL) RETURNING digest
        """)
    return rows.compactMap { try? SlugDigest($0) }
  }

  /// Whether a build has noted this slug, and nothing dropped it since.
  public func hasSlug(_ digest: SlugDigest) throws -> Bool {
    try Bool.fetchOne(
      database, sql: "SELECT EXISTS (SELECT 1 FROM slugs WHERE digest = ?)", arguments: [digest.description]) ?? false
  }

  /// By type's name, with `web` first.
  public func formation(of app: AppID) throws -> [FormationRecord] {
    let sql = "SELECT * FROM formations WHERE app = ? ORDER BY type <> 'web', type"
    return try Row.fetchAll(database, sql: sql, arguments: [app.description]).map { row in
      let columns = Columns(row, "formations")
      return FormationRecord(
        type: try columns.name("type"), quantity: try columns.integer("quantity"),
        launch: try columns.optionalID("launch"))
    }
  }

  /// Writes these rows and leaves others alone.
  public func setFormation(_ rows: [FormationRecord], of app: AppID) throws {
    for row in rows {
      try database.execute(
        sql: """
          INSERT INTO formations VALUES (?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET quantity = excluded.quantity, launch = excluded.launch
          """,
        arguments: [app.description, row.type.description, row.quantity, row.launch?.description])
    }
  }

  private func apps(where condition: String, _ arguments: StatementArguments) throws -> [AppRecord] {
    let sql = """
      SELECT p.*, a.id AS account_id, a.email, a.is_admin FROM apps p JOIN accounts a ON a.id = p.owner
      WHERE \(condition)
      """
    return try Row.fetchAll(database, sql: sql, arguments: arguments).map { row in
      let columns = Columns(row, "apps")
      return AppRecord(
        app: App(id: try columns.id("id"), name: try columns.name("name")), owner: try columns.account(),
        uidIndex: try columns.integer("uid_index"), deployBranch: columns.optionalText("deploy_branch"),
        tip: try columns.optionalName("tip"), currentRelease: try columns.optionalID("current_release"),
        createdAt: try columns.time("created_at"), updatedAt: try columns.time("updated_at"),
        releasedAt: columns.optionalTime("released_at"), deletedAt: columns.optionalTime("deleted_at"))
    }
  }
}
