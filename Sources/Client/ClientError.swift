public import Platform

/// Why a call got no answer. An answer that says no is an `APIError` (Wire), thrown as it is.
public enum ClientError: Error, Explained, Equatable, Sendable {
  /// Nothing listens there.
  case notRunning(ServerAddress)
  /// The socket exists, and is not for this user.
  case notAllowed(ServerAddress)
  /// The connection could not be made for another reason.
  case unreachable(ServerAddress, reason: String)
  /// The connection ended before the answer did.
  case connectionLost(ServerAddress)
  /// No answer within the time the caller gave.
  case timeout(ServerAddress)
  /// The answer is not what this call expects: another program, or another version.
  case unexpectedAnswer(ServerAddress, path: String, reason: String)
  /// The server speaks a version of the wire that this program does not.
  case otherWire(ServerAddress, theirs: String)
  case badAddress(String)

  public var message: String {
    switch self {
    case .notRunning(let address): "no server is running at \(address)"
    case .notAllowed(let address): "you may not connect to the server at \(address)"
    case .unreachable(let address, let reason): "cannot reach the server at \(address): \(reason)"
    case .connectionLost(let address): "the connection to the server at \(address) was lost"
    case .timeout(let address): "the server at \(address) did not answer in time"
    case .unexpectedAnswer(let address, let path, let reason):
      "the server at \(address) gave an unexpected answer for '\(path)': \(reason)"
    case .otherWire(let address, let theirs):
      "the server at \(address) speaks version \(printable(theirs)) of the wire, which this program does not"
    case .badAddress(let text): "'\(printable(text))' is not a server's address"
    }
  }

  public var nextStep: String? {
    switch self {
    case .notRunning(.unix): "start it with `paas server`, or name another with --host or PAAS_HOST"
    case .notRunning, .unreachable, .timeout: "check the address, and that `paas server` runs there"
    case .notAllowed: "use sudo, join the group 'paas', or use `ssh -p 2222 paas@HOST COMMAND`"
    case .connectionLost: "try again; if the server was restarted, give it a moment"
    case .unexpectedAnswer, .otherWire: "use the paas program of the server's version"
    case .badAddress: "write unix:/PATH/TO/control.sock or https://HOST"
    }
  }
}
