import ArgumentParser
import Platform
import Wire

/// What the process exits with (docs/conventions.md, "Streams, exit codes, confirmations"). Decided here and nowhere else.
struct ExitStatus: Equatable {
  let rawValue: Int32

  static let done = ExitStatus(rawValue: 0)
  static let failed = ExitStatus(rawValue: 1)
  static let usage = ExitStatus(rawValue: 2)
  static let notFound = ExitStatus(rawValue: 3)
  static let forbidden = ExitStatus(rawValue: 4)
  static let conflict = ExitStatus(rawValue: 5)

  private init(rawValue: Int32) { self.rawValue = rawValue }

  /// `root` knows which of ArgumentParser's errors are answers (help) and which are usage errors (its 64).
  init(of error: any Error, _ root: any ParsableCommand.Type) {
    switch error {
    case let error as ExitCode: self = error == .validationFailure ? .usage : ExitStatus(rawValue: error.rawValue)
    case let error as APIError: self.init(of: error)
    case let error as CommandError: self = error.status
    case is NameError: self = .usage
    case is any Explained: self = .failed
    default:
      switch root.exitCode(for: error) {
      case .success: self = .done
      case .validationFailure: self = .usage
      default: self = .failed
      }
    }
  }

  private init(of error: APIError) {
    switch error.id {
    case "not_found": self = .notFound
    case "forbidden", "unauthorized": self = .forbidden
    case "conflict", "locked": self = .conflict
    case "invalid_params": self = .usage
    default: self = .failed
    }
  }
}

/// Why a command stops before or after it has talked to the server.
struct CommandError: Error, Explained, Equatable {
  let status: ExitStatus
  let message: String
  let nextStep: String?

  init(_ status: ExitStatus, _ message: String, next: String? = nil) {
    self.status = status
    self.message = message
    nextStep = next
  }
}
