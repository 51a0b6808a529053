import GRDB
public import Platform

// Builds, and the ref updates that go with those that came from a push.
extension Ledger {
  /// Writes a pending build; the pending builds of a push to the same ref are superseded by it, and returned.
  public func openBuild(_ id: BuildID, app: AppID, by account: Account, push: PushContext?) throws -> [BuildID] {
    let now = Timestamp.now.microseconds
    var superseded: [BuildID] = []
    if let push {
      superseded = try builds(
        where: "b.app = ? AND b.ref = ? AND b.status = 'pending' AND b.superseded_by IS NULL",
        [app.description, push.ref.description]
      ).map(\.id)
      try database.execute(
        sql: """
          UPDATE builds SET superseded_by = ?
          WHERE app = ? AND ref = ? AND status = 'pending' AND superseded_by IS NULL
          """,
        arguments: [id.description, app.description, push.ref.description])
    }
    try database.execute(
      sql: """
        INSERT INTO builds (id, app, status, account, push, ref, old, new, subject, base_version, created_at, updated_at)
        VALUES (?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        id.description, app.description, account.id.description, push?.push.description, push?.ref.description,
        push?.old.description, push?.new.description, push?.subject, try lastVersion(of: app), now, now,
      ])
    return superseded
  }

  public func build(_ id: BuildID) throws -> BuildRecord? { try builds(where: "b.id = ?", [id.description]).first }

  /// Oldest first.
  public func builds(of app: AppID) throws -> [BuildRecord] {
    try builds(where: "b.app = ? ORDER BY b.id", [app.description])
  }

  public func pendingBuilds() throws -> [BuildRecord] { try builds(where: "b.status = 'pending' ORDER BY b.id", []) }

  /// What the build yielded; it is still pending.
  public func note(_ result: BuildResult, of build: BuildID) throws {
    try noteSlug(result.slug)
    try database.execute(
      sql: "UPDATE builds SET slug = ?, buildpack = ?, updated_at = ? WHERE id = ?",
      arguments: [
        result.slug.digest.description, result.buildpack, Timestamp.now.microseconds, build.description,
      ])
  }

  /// Ends a pending build with its release.
  public func succeed(_ build: BuildID, release: ReleaseID) throws {
    try database.execute(
      sql: "UPDATE builds SET status = 'succeeded', release = ?, updated_at = ? WHERE id = ? AND status = 'pending'",
      arguments: [release.description, Timestamp.now.microseconds, build.description])
  }

  /// Ends a pending build without a commit; one that ended before stays as it is.
  public func fail(_ build: BuildID, _ code: FailureCode, _ reason: String, release: ReleaseID? = nil) throws {
    try database.execute(
      sql: """
        UPDATE builds SET status = 'failed', failure_code = ?, failure = ?, release = ?, updated_at = ?
        WHERE id = ? AND status = 'pending'
        """,
      arguments: [
        code.rawValue, reason, release?.description, Timestamp.now.microseconds, build.description,
      ])
  }

  /// The commit point's half for a push: the tip moves in the ledger, and the ref is to follow.
  public func move(_ app: AppID, by push: PushContext, build: BuildID) throws {
    let now = Timestamp.now.microseconds
    try database.execute(
      sql: "UPDATE apps SET tip = ?, deploy_branch = coalesce(deploy_branch, ?) WHERE id = ?",
      arguments: [push.new.description, push.ref.branch, app.description])
    try database.execute(
      sql: "INSERT INTO ref_updates VALUES (?, ?, ?, ?, ?, 'pending', NULL, ?, ?)",
      arguments: [
        build.description, app.description, push.ref.description, push.old.description, push.new.description, now, now,
      ])
  }

  /// Committed and not yet applied, oldest first, of one app or of all.
  public func pendingRefUpdates(of app: AppID?) throws -> [RefUpdateRecord] {
    let sql = "SELECT * FROM ref_updates WHERE state = 'pending' AND (? IS NULL OR app = ?) ORDER BY build"
    let id = app?.description
    return try Row.fetchAll(database, sql: sql, arguments: [id, id]).map { row in
      let columns = Columns(row, "ref_updates")
      return RefUpdateRecord(
        app: try columns.id("app"), build: try columns.id("build"), ref: try columns.name("ref"),
        old: try columns.name("old"), new: try columns.name("new"), state: try columns.value("state"))
    }
  }

  /// What became of it; recorded once.
  public func endRefUpdate(_ build: BuildID, _ state: RefUpdateRecord.State, reason: String?) throws {
    try database.execute(
      sql: "UPDATE ref_updates SET state = ?, reason = ?, updated_at = ? WHERE build = ? AND state = 'pending'",
      arguments: [state.rawValue, reason, Timestamp.now.microseconds, build.description])
  }

  private func builds(where condition: String, _ arguments: StatementArguments) throws -> [BuildRecord] {
    let sql = """
      SELECT b.*, s.size AS slug_size, r.version AS release_version, a.id AS account_id, a.email, a.is_admin
      FROM builds b JOIN accounts a ON a.id = b.account LEFT JOIN slugs s ON s.digest = b.slug
      LEFT JOIN releases r ON r.id = b.release WHERE \(condition)
      """
    return try Row.fetchAll(database, sql: sql, arguments: arguments).map { try record(Columns($0, "builds")) }
  }

  private func record(_ columns: Columns) throws -> BuildRecord {
    BuildRecord(
      id: try columns.id("id"), app: try columns.id("app"), status: try columns.value("status"),
      account: try columns.account(), push: try columns.push(), baseVersion: try columns.integer("base_version"),
      supersededBy: try columns.optionalID("superseded_by"), buildpack: columns.optionalText("buildpack"),
      slug: try columns.slug(), release: try columns.optionalID("release"),
      releaseVersion: columns.optionalInteger("release_version").map(ReleaseVersion.init(_:)),
      failureCode: try columns.optionalValue("failure_code"), failure: columns.optionalText("failure"),
      createdAt: try columns.time("created_at"), updatedAt: try columns.time("updated_at"))
  }
}

extension Columns {
  fileprivate func push() throws -> PushContext? {
    guard let push = try optionalID("push", PushID.self) else { return nil }
    return PushContext(
      push: push, ref: try name("ref"), old: try name("old"), new: try name("new"), subject: try text("subject"))
  }
}
