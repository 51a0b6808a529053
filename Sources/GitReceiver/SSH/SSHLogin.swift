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

/// The login dialogue: public keys only, for the users `paas` and `git`, a few tries.
struct SSHLoginDialogue {
  static let users: Set<String> = ["paas", "git"]

  let connection: SSHConnection
  let peer: String
  let tries: Int
  /// Asks the server; throws `APIError` for an unknown key.
  let authenticate: (KeyOffer) throws -> Session
  /// Says whether this login is one too many.
  let admit: (SSHLogin) -> Bool
  let logger: Logger

  private(set) var failures = 0
  /// Probes cost little, but not nothing.
  private var requests = 0

  init(
    connection: SSHConnection, peer: String, tries: Int, authenticate: @escaping (KeyOffer) throws -> Session,
    admit: @escaping (SSHLogin) -> Bool, logger: Logger
  ) {
    self.connection = connection
    self.peer = peer
    self.tries = tries
    self.authenticate = authenticate
    self.admit = admit
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
    if failures >= tries { try giveUp(message) }
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
      let login = SSHLogin(session: session, fingerprint: key.fingerprint)
      failures = 0  // clients offer one key after the other: what came before the good one counts for nothing
      guard admit(login) else { throw turnAway(message, SSHError.tooManySessions) }
      message.acceptLogin()
      return login
    } catch let error as APIError where error.id == "not_found" || error.id == "unauthorized" {
      logger.info("ssh key unknown", metadata: ["peer": "\(peer)", "key": "\(key.fingerprint)"])
      return try refuse(message)
    } catch let error as SSHError {
      throw error
    } catch {
      logger.error("ssh login cannot be checked", metadata: ["peer": "\(peer)", "error": "\(error)"])
      throw turnAway(message, .loginsNotChecked(reason: (error as? any Explained)?.message ?? "\(error)"))
    }
  }

  /// A good key, and no login all the same: the client is told why before it gives up.
  private func turnAway(_ message: SSHMessage, _ error: SSHError) -> SSHError {
    connection.sendBanner("paas: \(error.message)\(error.nextStep.map { "; \($0)" } ?? "")\n")
    message.refuse()
    return error
  }
}
