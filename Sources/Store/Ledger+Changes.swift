import GRDB
public import Platform

// What has been begun (intents), and what went wrong (failures).
extension Ledger {
  /// How many failures are kept per app.
  public static let failuresKept = 100

  public func addIntent(_ kind: IntentRecord.Kind, app: AppID, launch: LaunchID?) throws {
    try database.execute(
      sql: "INSERT INTO intents VALUES (?, ?, ?, ?, ?)",
      arguments: [
        ID<LaunchTag>().description, kind.rawValue, app.description, launch?.description, Timestamp.now.microseconds,
      ])
  }

  public func intents() throws -> [IntentRecord] {
    try Row.fetchAll(database, sql: "SELECT * FROM intents ORDER BY id").map { row in
      let columns = Columns(row, "intents")
      return IntentRecord(
        id: try columns.text("id"), kind: try columns.value("kind"), app: try columns.id("app"),
        launch: try columns.optionalID("launch"))
    }
  }

  /// The launch is current, or everything of it is stopped.
  public func endIntent(launch: LaunchID) throws {
    try database.execute(sql: "DELETE FROM intents WHERE launch = ?", arguments: [launch.description])
  }

  public func addFailure(app: AppID, phase: String, code: FailureCode, message: String) throws {
    try database.execute(
      sql: "INSERT INTO failures (app, phase, code, message, created_at) VALUES (?, ?, ?, ?, ?)",
      arguments: [app.description, phase, code.rawValue, message, Timestamp.now.microseconds])
    try database.execute(
      sql: """
        DELETE FROM failures WHERE app = ?1 AND id NOT IN
          (SELECT id FROM failures WHERE app = ?1 ORDER BY id DESC LIMIT \(Self.failuresKept))
        """,
      arguments: [app.description])
  }

  /// Newest first.
  public func failures(of app: AppID) throws -> [FailureRecord] {
    let sql = "SELECT * FROM failures WHERE app = ? ORDER BY id DESC"
    return try Row.fetchAll(database, sql: sql, arguments: [app.description]).map { row in
      let columns = Columns(row, "failures")
      return FailureRecord(
        phase: try columns.text("phase"), code: try columns.value("code"), message: try columns.text("message"),
        at: try columns.time("created_at"))
    }
  }
}
