import Crypto
import Logging
public import Platform
import Store
import Synchronization
public import Wire

/// The sessions of the receiver's clients, in memory only: they die with the server.
final class Sessions: Sendable {
  private struct Entry {
    var account: Account
    var fingerprint: String
  }
  private let entries = Mutex<[String: Entry]>([:])

  /// A new token: 32 random bytes in hexadecimal.
  func open(_ account: Account, fingerprint: String) -> String {
    let token = (0..<4).map { _ in hexadecimal(UInt64.random(in: .min ... .max)) }.joined()
    entries.withLock { $0[token] = Entry(account: account, fingerprint: fingerprint) }
    return token
  }

  func account(_ token: String) -> Account? { entries.withLock { $0[token]?.account } }
  func close(_ token: String) { entries.withLock { $0[token] = nil } }
  func close(fingerprint: String) {
    entries.withLock { $0 = $0.filter { $0.value.fingerprint != fingerprint } }
  }

  private func hexadecimal(_ value: UInt64) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}

extension ControlPlane {
  /// A session for the account that holds this key. Throws `not_found` for an unknown key.
  public func authenticate(_ offer: KeyOffer) async throws -> Session {
    let key = try SSHKey(offer.key)
    let unknown = APIError.notFound("key", key.fingerprint, next: "add it with `paas keys:add`")
    guard let record = try await store.read({ try $0.key(fingerprint: key.fingerprint) }), record.publicKey == key.text
    else { throw unknown }
    let token = sessions.open(record.account, fingerprint: key.fingerprint)
    do {
      // Who removed the key since we read it has closed the sessions before this one was among them.
      guard try await store.read({ try $0.key(fingerprint: key.fingerprint) })?.id == record.id else { throw unknown }
    } catch {
      sessions.close(token)
      throw error
    }
    logger.info(
      "session opened",
      metadata: ["account": "\(record.account.email)", "key": "\(key.fingerprint)", "peer": "\(printable(offer.peer))"])
    return Session(account: record.account, token: token)
  }

  /// Whose token this is: a session's, or an API token of which the ledger knows the hash.
  public func account(session token: String) async -> Account? {
    if let account = sessions.account(token) { return account }
    let hash = Self.hash(token: token)
    do {
      return try await store.read { try $0.account(tokenHash: hash) }
    } catch {
      logger.error("token not looked up", metadata: ["cause": "\(error)"])
      return nil
    }
  }

  /// Who acts on the local control socket.
  public func localAdmin() async throws -> Account {
    guard let admin = try await store.read({ try $0.localAdmin() }) else {
      throw APIError(id: "internal_server_error", message: "the ledger has no admin account")
    }
    return admin
  }

  public func endSession(token: String) async { sessions.close(token) }

  public func keys(of account: Account) async throws -> [KeyResource] {
    try await store.read { try $0.keys(of: account.id) }.map(resource)
  }

  public func addKey(_ create: KeyCreate, by account: Account) async throws -> KeyResource {
    let key = try SSHKey(create.public_key)
    do {
      let record = try await store.write {
        try $0.addKey(fingerprint: key.fingerprint, publicKey: key.text, comment: key.comment, account: account)
      }
      return resource(record)
    } catch let error as StoreError {
      throw APIError.conflict(error.message, next: error.nextStep)
    }
  }

  /// Also closes the sessions that came in with it.
  public func removeKey(_ idOrFingerprint: String, by account: Account) async throws -> KeyResource {
    let removed = try await store.write { ledger in
      let key = try ledger.key(id: idOrFingerprint) ?? ledger.key(fingerprint: idOrFingerprint)
      guard let key, key.account.id == account.id || account.isAdmin else { return KeyRecord?.none }
      try ledger.removeKey(key.id)
      return key
    }
    guard let removed else { throw APIError.notFound("key", idOrFingerprint, next: "see `paas keys`") }
    sessions.close(fingerprint: removed.fingerprint)
    await desk.tell(.closeSessions(fingerprint: removed.fingerprint), app: nil)
    return resource(removed)
  }

  static func hash(token: String) -> String {
    SHA256.hash(data: Array(token.utf8)).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }

  private func resource(_ key: KeyRecord) -> KeyResource {
    KeyResource(
      id: key.id, email: key.account.email, comment: key.comment, fingerprint: key.fingerprint,
      public_key: key.publicKey + (key.comment.isEmpty ? "" : " " + key.comment), created_at: key.createdAt.rfc3339)
  }
}
