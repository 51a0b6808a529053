import GRDB
public import Platform

// Accounts, keys and API tokens.
extension Ledger {
  /// The account that the local control socket acts as: the first admin.
  public func localAdmin() throws -> Account? {
    try accounts(where: "is_admin = 1 ORDER BY created_at LIMIT 1", []).first
  }

  public func account(_ id: AccountID) throws -> Account? { try accounts(where: "id = ?", [id.description]).first }

  /// By the SHA-256 of an API token, in hexadecimal; expired ones are not found.
  public func account(tokenHash: String, at now: Timestamp = .now) throws -> Account? {
    try accounts(
      where: "id = (SELECT account FROM tokens WHERE hash = ? AND (expires_at IS NULL OR expires_at > ?))",
      [tokenHash, now.microseconds]
    ).first
  }

  public func addToken(hash: String, description: String, account: AccountID, expires: Timestamp?) throws {
    try database.execute(
      sql: "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?)",
      arguments: [
        ID<AccountTag>().description, account.description, hash, description, Timestamp.now.microseconds,
        expires?.microseconds,
      ])
  }

  public func keys(of account: AccountID) throws -> [KeyRecord] {
    try keys(where: "k.account = ?", [account.description])
  }

  public func key(fingerprint: String) throws -> KeyRecord? {
    try keys(where: "k.fingerprint = ?", [fingerprint]).first
  }

  public func key(id: String) throws -> KeyRecord? { try keys(where: "k.id = ?", [id]).first }

  /// Throws ``StoreError/keyTaken(fingerprint:)`` when any account has it.
  public func addKey(fingerprint: String, publicKey: String, comment: String, account: Account) throws -> KeyRecord {
    if try key(fingerprint: fingerprint) != nil { throw StoreError.keyTaken(fingerprint: fingerprint) }
    let record = KeyRecord(
      id: ID<AccountTag>().description, account: account, fingerprint: fingerprint, publicKey: publicKey,
      comment: comment, createdAt: .now)
    try database.execute(
      sql: "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)",
      arguments: [
        record.id, account.id.description, fingerprint, publicKey, comment, record.createdAt.microseconds,
      ])
    return record
  }

  public func removeKey(_ id: String) throws {
    try database.execute(sql: "DELETE FROM keys WHERE id = ?", arguments: [id])
  }

  private func accounts(where condition: String, _ arguments: StatementArguments) throws -> [Account] {
    let sql = "SELECT id AS account_id, email, is_admin FROM accounts WHERE \(condition)"
    return try Row.fetchAll(database, sql: sql, arguments: arguments).map { try Columns($0, "accounts").account() }
  }

  private func keys(where condition: String, _ arguments: StatementArguments) throws -> [KeyRecord] {
    let sql = """
      SELECT k.*, a.id AS account_id, a.email, a.is_admin FROM keys k JOIN accounts a ON a.id = k.account
      WHERE \(condition) ORDER BY k.created_at
      """
    return try Row.fetchAll(database, sql: sql, arguments: arguments).map { row in
      let columns = Columns(row, "keys")
      return KeyRecord(
        id: try columns.text("id"), account: try columns.account(), fingerprint: try columns.text("fingerprint"),
        publicKey: try columns.text("public_key"), comment: try columns.text("comment"),
        createdAt: try columns.time("created_at"))
    }
  }
}
