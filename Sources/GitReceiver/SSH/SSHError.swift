import CSSH
import Platform

/// What goes wrong between us and an SSH client, or with our own keys.
enum SSHError: Error, Explained, Equatable {
  /// The client closed the channel or the connection, or it broke.
  case clientGone
  /// The time for a step (`login`, `reading`, `writing`) is over.
  case timeout(step: String)
  case keyExchange(reason: String)
  case tooManyAttempts
  /// The server does not answer.
  case loginsNotChecked(reason: String)
  /// There are as many connections with this key as there may be.
  case tooManySessions
  case protocolViolation(String)
  case hostKey(path: String, reason: String)
  case library(action: String, reason: String)

  var message: String {
    switch self {
    case .clientGone: "the client has gone"
    case .timeout(let step): "\(step) took too long"
    case .keyExchange(let reason): "the key exchange failed: \(reason)"
    case .tooManyAttempts: "too many login attempts"
    case .loginsNotChecked: "the server cannot check logins now"
    case .tooManySessions: "there are too many connections with this key"
    case .protocolViolation(let text): text
    case .hostKey(let path, let reason): "cannot use the host key '\(path)': \(reason)"
    case .library(let action, let reason): "cannot \(action): \(reason)"
    }
  }

  var nextStep: String? {
    switch self {
    case .hostKey(let path, _): "restore '\(path)', or remove it: a new one is made, and every client is warned once"
    case .loginsNotChecked: "try again in a moment"
    case .tooManySessions: "end some of them, or wait"
    default: nil
    }
  }

  /// libssh's own words for the last failure on this session or bind; control characters are taken out, as a client
  /// can choose part of the text.
  static func reason(_ handle: UnsafeMutableRawPointer) -> String {
    ssh_get_error(handle).map { printable(String(cString: $0)) } ?? "unknown"
  }
}
