import GRDB
import Glibc
import Linux
public import Platform

/// The ledger: `paas.db` in the data directory, the only truth of an installation. SQLite with WAL and
/// `synchronous=FULL`: what a transaction has committed survives a power cut.
public final class Store: Sendable {
  public let installation: InstallationID
  private let pool: DatabasePool
  private let seal: ConfigSeal

  /// Opens the ledger of a data directory, or makes it with its secrets. Throws ``StoreError``, `SystemError` or
  /// SQLite's error.
  public init(dataDirectory: String) async throws {
    (pool, seal, installation) = try await blocking { try Self.open(dataDirectory) }
  }

  private static func open(_ directory: String) throws -> (DatabasePool, ConfigSeal, InstallationID) {
    let path = directory + "/paas.db"
    let exists = Files.exists(path)
    try Files.makeDirectory(directory + "/secrets", mode: 0o700)
    let seal = try ConfigSeal.open(path: directory + "/secrets/config.key", mayCreate: !exists)
    if !exists { close(try checked("create '\(path)'") { Glibc.open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600) }) }
    let pool = try openPool(path)
    let id = try pool.write { try prepare($0) }
    try Files.writeDurably(Array("\(id)\n".utf8), to: directory + "/installation", mode: 0o644)
    return (pool, seal, id)
  }

  private static func openPool(_ path: String) throws -> DatabasePool {
    var configuration = Configuration()
    configuration.busyMode = .timeout(10)
    let pool: DatabasePool
    do {
      pool = try DatabasePool(path: path, configuration: configuration)
    } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
      throw StoreError.notALedger(path: path)
    }
    try pool.writeWithoutTransaction { database in
      // GRDB sets NORMAL on its one writer when it turns WAL on, after any preparation of ours: so it is set here.
      try database.execute(sql: "PRAGMA synchronous = FULL")
      let mark = try Int32.fetchOne(database, sql: "PRAGMA application_id") ?? 0
      let isEmpty = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") == 0
      guard mark == Schema.applicationID || (mark == 0 && isEmpty) else { throw StoreError.notALedger(path: path) }
      try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
      if try Schema.migrator.hasBeenSuperseded(database) { throw StoreError.newerLedger(path: path) }
    }
    try Schema.migrator.migrate(pool)
    return pool
  }

  /// The installation's row, and the local admin: made at the first start.
  private static func prepare(_ database: Database) throws -> InstallationID {
    if let text = try String.fetchOne(database, sql: "SELECT id FROM installation"), let id = InstallationID(text) {
      return id
    }
    let id = InstallationID()
    let now = Timestamp.now.microseconds
    try database.execute(sql: "INSERT INTO installation VALUES (?, 1, 1, ?)", arguments: [id.description, now])
    try database.execute(
      sql: "INSERT INTO accounts VALUES (?, 'admin@localhost', 1, ?)", arguments: [AccountID().description, now])
    return id
  }

  /// Reads one consistent state. A task that is cancelled still gets its answer.
  public func read<Value: Sendable>(_ body: @escaping @Sendable (Ledger) throws -> Value) async throws -> Value {
    let (pool, seal) = (pool, seal)
    return try await Task { try await pool.read { try body(Ledger(database: $0, seal: seal)) } }.value
  }

  /// One durable transaction: all of the body's changes, or none when it throws. A task that is cancelled still
  /// finishes it: what must be written down when a build is cancelled is written down.
  public func write<Value: Sendable>(_ body: @escaping @Sendable (Ledger) throws -> Value) async throws -> Value {
    let (pool, seal) = (pool, seal)
    return try await Task { try await pool.write { try body(Ledger(database: $0, seal: seal)) } }.value
  }
}

/// The ledger within one transaction. Its methods are the only SQL there is.
public struct Ledger {
  let database: Database
  let seal: ConfigSeal
}
