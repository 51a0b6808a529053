import CSSH
import Logging
import Platform
import Wire

/// Who a connection belongs to, after its client has proved to hold a key that the server knows.
struct SSHLogin {
  let session: Session
  /// `SHA256:…` of the key it came in with.
  let fingerprint: String
}

/// The login dialogue: public keys only, for the users `paas` and `git`, six tries.
struct SSHLoginDialogue {
  static let users: Set<String> = ["paas", "git"]
  static let tries = 6

  let connection: SSHConnection
  let peer: String
  /// Asks the server; throws `APIError` for an unknown key.
  let authenticate: (KeyOffer) throws -> Session
  let logger: Logger

  private var failures = 0
  /// Probes cost little, but not nothing.
  private var requests = 0

  init(
    connection: SSHConnection, peer: String, authenticate: @escaping (KeyOffer) throws -> Session, logger: Logger
  ) {
    self.connection = connection
    self.peer = peer
    self.authenticate = authenticate
    self.logger = logger
  }

  /// Returns when a login has succeeded; throws ``SSHError`` when the client has gone, or has had its chance.
  mutating func run(until deadline: ContinuousClock.Instant) throws(SSHError) -> SSHLogin {
    while true {
      let message = try connection.message(until: deadline, step: "login")
      requests += 1
      if requests > 100 { try giveUp(message) }
      if let login = try answer(message) { return login }
    }
  }

  private mutating func answer(_ message: SSHMessage) throws(SSHError) -> SSHLogin? {
    switch message.kind {
    case .service(let name):
      guard name == "ssh-userauth" else {
        throw .protocolViolation("the client asked for the service '\(printable(name))'")
      }
      message.acceptService()
    case .login(method: "none"): message.refuse()  // how clients ask for the methods
    case .keyProbe:
      // Whether the key is known is said only to those who hold it.
      guard Self.users.contains(message.user), message.key != nil else { return try refuse(message) }
      message.acceptProbe()
    case .keyProof: return try prove(message)
    case .login, .keyForged: return try refuse(message)
    default: throw .protocolViolation("the client sent a request before its login")
    }
    return nil
  }

  private mutating func refuse(_ message: SSHMessage) throws(SSHError) -> SSHLogin? {
    failures += 1
    if failures >= Self.tries { try giveUp(message) }
    message.refuse()
    return nil
  }

  private func giveUp(_ message: SSHMessage) throws(SSHError) {
    message.drop()
    ssh_session_set_disconnect_message(connection.session, "Too many authentication failures")
    throw .tooManyAttempts
  }

  private mutating func prove(_ message: SSHMessage) throws(SSHError) -> SSHLogin? {
    guard Self.users.contains(message.user), let key = message.key else { return try refuse(message) }
    do {
      let session = try authenticate(KeyOffer(key: key.line, peer: peer))
      message.acceptLogin()
      return SSHLogin(session: session, fingerprint: key.fingerprint)
    } catch let error as APIError where error.id == "not_found" || error.id == "unauthorized" {
      logger.info("ssh key unknown", metadata: ["peer": "\(peer)", "key": "\(key.fingerprint)"])
      return try refuse(message)
    } catch {
      logger.error("ssh login cannot be checked", metadata: ["peer": "\(peer)", "error": "\(error)"])
      connection.sendBanner("paas: the server cannot check logins now; try again in a moment\n")
      message.refuse()
      throw .library(action: "check the login", reason: (error as? any Explained)?.message ?? "\(error)")
    }
  }
}
