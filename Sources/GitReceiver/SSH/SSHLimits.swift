public import Platform

/// What the SSH server grants to whom, and for how long. Every value has a variable of the server's environment
/// (docs/limits.md); this is the file that reads them.
public struct SSHLimits: Sendable, Equatable {
  /// The environment entries that a server hands on to its receiver.
  public static let prefix = "PAAS_SSH_"

  /// All connections.
  var sessions = 1024
  /// Connections that came in with the same key.
  var sessionsPerKey = 512
  /// Connections that have not logged in, from everywhere and from one source.
  var unauthenticated = 128
  var unauthenticatedPerSource = 16
  /// From the connection to the end of the key exchange: no person takes part in it.
  var keyExchangeTime = Duration.seconds(15)
  /// From the connection to the end of the login. A person may have to type a passphrase or touch a key.
  var loginTime = Duration.seconds(60)
  /// Keys that are refused before the connection ends.
  var loginTries = 6
  /// From the login, or the end of one command, to the next command.
  var idleTime = Duration.seconds(300)
  /// Commands over one connection, one after the other.
  var commands = 100
  var backoff = LoginBackoff.Limits()

  init() {}

  /// Reads `PAAS_SSH_…` entries; throws ``SettingError`` for one that is no number in its range, or is unknown.
  public init(environment: [String: String]) throws(SettingError) {
    let table: [String: (range: ClosedRange<Int>, set: (inout SSHLimits, Int) -> Void)] = [
      "SESSIONS": (1...100_000, { $0.sessions = $1 }),
      "SESSIONS_PER_KEY": (1...100_000, { $0.sessionsPerKey = $1 }),
      "UNAUTHENTICATED": (1...100_000, { $0.unauthenticated = $1 }),
      "UNAUTHENTICATED_PER_SOURCE": (1...100_000, { $0.unauthenticatedPerSource = $1 }),
      "KEY_EXCHANGE_SECONDS": (1...3600, { $0.keyExchangeTime = .seconds($1) }),
      "LOGIN_SECONDS": (1...3600, { $0.loginTime = .seconds($1) }),
      "LOGIN_TRIES": (1...100, { $0.loginTries = $1 }),
      "IDLE_SECONDS": (1...86_400, { $0.idleTime = .seconds($1) }),
      "COMMANDS": (1...10_000, { $0.commands = $1 }),
      "BACKOFF_AFTER": (1...1000, { $0.backoff.free = $1 }),
      "BACKOFF_SECONDS": (0...86_400, { $0.backoff.longest = .seconds($1) }),
      "BACKOFF_LOOPBACK": (0...1, { $0.backoff.sparesLoopback = $1 == 0 }),
    ]
    for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix(Self.prefix) {
      guard let entry = table[String(name.dropFirst(Self.prefix.count))] else {
        throw SettingError("'\(printable(name))' is no setting of the SSH server", next: "docs/limits.md lists them")
      }
      entry.set(&self, try SettingError.number(text, of: name, in: entry.range))
    }
  }
}
