import Platform
import Wire

extension DeployFailure {
  /// What a boot that failed means to the person who pushed.
  init(_ failure: BootFailure) {
    switch failure {
    case .crashed(let instance, let status, let lines):
      self.init(
        .boot, .appCrashed, "\(instance) exited with status \(status) before it was up", evidence: lines,
        next: "correct the app or its config vars, and deploy again; the release before keeps serving")
    case .timeout(let instance, let limit, let lines):
      self.init(
        .boot, .bootTimeout, "\(instance) was not up within \(limit.components.seconds) seconds", evidence: lines,
        next: "a web process must listen on 0.0.0.0 at the port in $PORT")
    case .slugDamaged(let digest):
      self.init(
        .boot, .slugChecksum, "the slug on disk is not the one that was built (\(digest.description.prefix(12)))",
        next: "push again to build a new one, or restore slugs/ from a backup")
    case .slugMissing(let digest):
      self.init(
        .boot, .slugChecksum, "the slug is missing on disk (\(digest.description.prefix(12)))",
        next: "push again to build a new one, or restore slugs/ from a backup")
    case .sandbox(let reason):
      self.init(.boot, .noSandbox, reason, next: "`paas doctor` says what is missing and how to enable it")
    }
  }

  /// Any error of a deploy, in the one form that pusher, ledger and log use.
  init(any error: any Error, phase: DeployPhase) {
    switch error {
    case let failure as DeployFailure: self = failure
    case let failure as BootFailure: self.init(failure)
    case is CancellationError: self.init(phase, .cancelled, "the deploy was cancelled", next: "push again")
    case let error as any Explained: self.init(phase, .platformError, error.message, next: error.nextStep)
    default:
      self.init(phase, .platformError, "something failed inside the platform", next: "the server's log has the cause")
    }
  }

  static func superseded(by build: BuildID) -> DeployFailure {
    DeployFailure(.commit, .superseded, "superseded by build \(build)", next: "nothing: the newer push goes on")
  }

  static func rolledBack(to description: String) -> DeployFailure {
    DeployFailure(
      .commit, .overtaken, "the app was rolled back while this build ran (\(description))",
      next: "push again if this commit should go live")
  }

  static func tipMoved(to tip: CommitID?) -> DeployFailure {
    DeployFailure(
      .commit, .overtaken, "the deployed commit is \(tip?.short ?? "none") now, not the one this push started from",
      next: "git fetch, merge or rebase, and push again")
  }

  static let platformRestarted = DeployFailure(
    .build, .platformRestarted, "platform restarted while the build ran", next: "push again")

  static let appDestroyed = DeployFailure(.commit, .cancelled, "the app was destroyed")

  /// `R10: web.1 was not up within 60 seconds`, for the ledger and git's one line.
  var oneLine: String { "\(code.rawValue): \(message)" }

  /// For a change that came over the API and not as a push.
  var apiError: APIError {
    let lines = evidence.map { "\n  " + $0 }.joined()
    return APIError(
      id: "release_failed", message: "\(phase.rawValue) failed (\(code.rawValue)): \(message)\(lines)", next: nextStep)
  }
}

extension APIError {
  static func notFound(_ what: String, _ name: String, next: String? = nil) -> APIError {
    APIError(id: "not_found", message: "\(what) '\(printable(name))' does not exist", next: next)
  }
  static func invalid(_ error: any Explained) -> APIError {
    APIError(id: "invalid_params", message: error.message, next: error.nextStep)
  }
  static func invalid(_ message: String, next: String? = nil) -> APIError {
    APIError(id: "invalid_params", message: message, next: next)
  }
  static func conflict(_ message: String, next: String? = nil) -> APIError {
    APIError(id: "conflict", message: message, next: next)
  }
}
