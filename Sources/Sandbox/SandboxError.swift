public import Platform

/// Why a sandbox did not start.
public enum SandboxError: Error, Explained, Equatable {
  /// This machine cannot run sandboxes; the sentences say what is missing and how to enable it.
  case unavailable([String])
  /// The runtime refused; its own words.
  case refused(id: String, reason: String)
  /// A path or a value that cannot stand in a sandbox's description.
  case invalid(String)

  public var message: String {
    switch self {
    case .unavailable(let missing): "cannot run sandboxes here: " + missing.joined(separator: "; ")
    case .refused(let id, let reason): "sandbox '\(id)' did not start: \(reason)"
    case .invalid(let what): what
    }
  }

  public var nextStep: String? {
    switch self {
    case .unavailable: "run 'paas doctor'"
    case .refused: "run 'paas doctor', and look at the server's log"
    case .invalid: nil
    }
  }
}
