import GRDB
public import Platform

// Releases, and the config vars that each of them has.
extension Ledger {
  /// Oldest first.
  public func releases(of app: AppID) throws -> [ReleaseRecord] {
    try releases(where: "r.app = ? ORDER BY r.version", [app.description])
  }

  public func release(_ id: ReleaseID) throws -> ReleaseRecord? {
    try releases(where: "r.id = ?", [id.description]).first
  }

  public func release(_ version: ReleaseVersion, of app: AppID) throws -> ReleaseRecord? {
    try releases(where: "r.app = ? AND r.version = ?", [app.description, version.number]).first
  }

  /// What is live; `nil` before the first.
  public func currentRelease(of app: AppID) throws -> ReleaseRecord? {
    try releases(where: "r.id = (SELECT current_release FROM apps WHERE id = ?)", [app.description]).first
  }

  public func pendingReleases() throws -> [ReleaseRecord] { try releases(where: "r.status = 'pending'", []) }

  /// The highest number given so far, failed releases included; 0 before the first.
  public func lastVersion(of app: AppID) throws -> Int {
    try Int.fetchOne(database, sql: "SELECT max(version) FROM releases WHERE app = ?", arguments: [app.description])
      ?? 0
  }

  /// A rollback that went live after this version.
  public func rollback(of app: AppID, after version: Int) throws -> ReleaseRecord? {
    try releases(
      where: "r.app = ? AND r.version > ? AND r.kind = 'rollback' AND r.status = 'succeeded' LIMIT 1",
      [app.description, version]
    ).first
  }

  /// Writes a pending release under the next number, with the config of `configFrom` changed by `patch` (`nil` removes).
  public func createRelease(
    _ new: NewRelease, app: AppID, by account: Account, configFrom: ReleaseID?, patch: [ConfigKey: String?] = [:]
  ) throws -> ReleaseRecord {
    let (id, now) = (ReleaseID(), Timestamp.now)
    let version = try lastVersion(of: app) + 1
    if let slug = new.slug { try noteSlug(slug) }
    try database.execute(
      sql: "INSERT INTO releases VALUES (?, ?, ?, ?, ?, 'pending', NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      arguments: [
        id.description, app.description, version, new.kind.rawValue, new.description, new.slug?.digest.description,
        new.stack?.id, new.stack?.digest, new.commit?.description, try json(encodable(new.processTypes)),
        account.id.description, new.build?.description, now.microseconds, now.microseconds,
      ])
    try copyConfig(from: configFrom, to: id, except: patch.keys)
    for (name, value) in patch { if let value { try addValue(value, name: name, app: app, release: id) } }
    guard let record = try release(id) else { throw StoreError.unreadable(table: "releases", column: "id") }
    return record
  }

  /// The commit point's half for a release: it succeeded, and it is what is live.
  public func makeCurrent(_ release: ReleaseRecord) throws {
    try end(release, .succeeded, failure: nil)
    let now = Timestamp.now.microseconds
    try database.execute(
      sql: "UPDATE apps SET current_release = ?, released_at = ?, updated_at = ? WHERE id = ? AND deleted_at IS NULL",
      arguments: [release.id.description, now, now, release.app.description])
  }

  /// A release that is not pending any more stays as it is.
  public func failRelease(_ release: ReleaseRecord, _ failure: String) throws {
    guard try self.release(release.id)?.status == .pending else { return }
    try end(release, .failed, failure: failure)
  }

  /// The config vars of a release, opened. Throws ``StoreError/sealBroken(_:)``.
  public func config(of release: ReleaseID, app: AppID) throws -> ConfigVars {
    let sql = "SELECT v.* FROM config_values v JOIN release_config c ON c.value = v.id WHERE c.release = ?"
    var vars: ConfigVars = [:]
    for row in try Row.fetchAll(database, sql: sql, arguments: [release.description]) {
      let columns = Columns(row, "config_values")
      let name: ConfigKey = try columns.name("name")
      let sealed = SealedValue(keyID: try columns.text("key_id"), nonce: row["nonce"], bytes: row["ciphertext"])
      vars[name] = try seal.open(sealed, app: app, name: name)
    }
    return vars
  }

  /// What the next release starts from: the config of what is live.
  public func currentConfig(of app: AppRecord) throws -> ConfigVars {
    try app.currentRelease.map { try config(of: $0, app: app.id) } ?? [:]
  }

  func noteSlug(_ slug: Slug) throws {
    try database.execute(
      sql: "INSERT INTO slugs VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
      arguments: [slug.digest.description, slug.size, Timestamp.now.microseconds])
  }

  private func end(_ release: ReleaseRecord, _ status: ReleaseStatus, failure: String?) throws {
    try database.execute(
      sql: "UPDATE releases SET status = ?, failure = ?, updated_at = ? WHERE id = ? AND status = 'pending'",
      arguments: [status.rawValue, failure, Timestamp.now.microseconds, release.id.description])
    if database.changesCount != 1 { throw StoreError.releaseNotPending(release.version) }
  }

  private func copyConfig(from: ReleaseID?, to: ReleaseID, except: some Collection<ConfigKey>) throws {
    guard let from else { return }
    let sql = """
      INSERT INTO release_config SELECT ?, value FROM release_config JOIN config_values v ON v.id = value
      WHERE release = ? AND v.name NOT IN (SELECT value FROM json_each(?))
      """
    try database.execute(sql: sql, arguments: [to.description, from.description, try json(except.map(\.description))])
  }

  private func addValue(_ value: String, name: ConfigKey, app: AppID, release: ReleaseID) throws {
    let sealed = try seal.seal(value, app: app, name: name)
    try database.execute(
      sql: "INSERT INTO config_values (app, name, key_id, nonce, ciphertext) VALUES (?, ?, ?, ?, ?)",
      arguments: [app.description, name.description, sealed.keyID, sealed.nonce, sealed.bytes])
    try database.execute(
      sql: "INSERT INTO release_config VALUES (?, ?)", arguments: [release.description, database.lastInsertedRowID])
  }

  private func releases(where condition: String, _ arguments: StatementArguments) throws -> [ReleaseRecord] {
    let sql = """
      SELECT r.*, s.size AS slug_size, a.id AS account_id, a.email, a.is_admin FROM releases r
      JOIN accounts a ON a.id = r.account LEFT JOIN slugs s ON s.digest = r.slug WHERE \(condition)
      """
    return try Row.fetchAll(database, sql: sql, arguments: arguments).map { try record(Columns($0, "releases")) }
  }

  private func record(_ columns: Columns) throws -> ReleaseRecord {
    let types = try columns.json("process_types", [String: String].self)
    return ReleaseRecord(
      id: try columns.id("id"), app: try columns.id("app"), version: ReleaseVersion(try columns.integer("version")),
      kind: try columns.value("kind"), description: try columns.text("description"),
      status: try columns.value("status"), failure: columns.optionalText("failure"),
      slug: try columns.slug(), stack: try columns.stack(), commit: try columns.optionalName("commit_id"),
      processTypes: try decodable(types), account: try columns.account(), build: try columns.optionalID("build"),
      createdAt: try columns.time("created_at"), updatedAt: try columns.time("updated_at"))
  }

  private func encodable(_ types: ProcessTypes) -> [String: String] {
    Dictionary(uniqueKeysWithValues: types.map { ($0.key.description, $0.value) })
  }

  private func decodable(_ types: [String: String]) throws -> ProcessTypes {
    Dictionary(uniqueKeysWithValues: try types.map { (try ProcessType($0.key), $0.value) })
  }
}

extension Columns {
  /// The slug that the query joined as `slug` and `slug_size`.
  func slug() throws -> Slug? {
    guard let digest = try optionalName("slug", SlugDigest.self) else { return nil }
    return Slug(digest: digest, size: Int64(try integer("slug_size")))
  }

  fileprivate func stack() throws -> Stack? {
    guard let id = optionalText("stack") else { return nil }
    return Stack(id: id, digest: try text("stack_digest"))
  }
}
