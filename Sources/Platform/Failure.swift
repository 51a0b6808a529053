/// An error that can be shown to a person as it is: what happened, to which thing, and what to do next.
public protocol Explained: Error {
  /// What happened, and to which thing; lower case, no full stop. Never holds a secret.
  var message: String { get }
  /// The next step, when there is one.
  var nextStep: String? { get }
}

/// A stable code that a user can look up with `paas explain CODE` and in docs/codes.md. H, R and L codes are Heroku's;
/// B codes are ours, for everything between a push and a running release.
public enum FailureCode: String, Sendable, Codable, CaseIterable {
  case appCrashed = "H10"
  case noWebProcess = "H14"
  case bootTimeout = "R10"
  case slugChecksum = "R17"
  /// No buildpack recognises the source.
  case noBuildpack = "B01"
  /// A buildpack's compile step failed.
  case buildFailed = "B02"
  /// The source breaks a limit or holds something that cannot be unpacked safely.
  case sourceRefused = "B03"
  /// The slug is larger than the limit.
  case slugTooLarge = "B04"
  /// An operator's `pre-deploy` hook refused.
  case hookRefused = "B05"
  /// The release phase command failed.
  case releasePhaseFailed = "B06"
  /// The Procfile cannot be read.
  case badProcfile = "B07"
  /// A newer push took this build's place.
  case superseded = "B08"
  /// The platform was restarted while the build ran.
  case platformRestarted = "B09"
  /// The tip moved while the build ran (another push, or a rollback).
  case overtaken = "B10"
  /// The sandbox is missing or refuses to start.
  case noSandbox = "B11"
  /// The build ran into its time limit.
  case buildTimeout = "B12"
  /// Somebody cancelled the build.
  case cancelled = "B13"
  /// A claim of a host name that is another app's, or the platform's.
  case nameClash = "D01"
  /// Everything that is our fault.
  case platformError = "H99"
}

/// A deploy's step, as the pusher is told when it fails there.
public enum DeployPhase: String, Sendable, Codable {
  case source, detect, build, slug, hook, release, boot, commit
}

/// Why a deploy ended without a release going live.
public struct DeployFailure: Error, Explained, Equatable, Sendable, Codable {
  public var phase: DeployPhase
  public var code: FailureCode
  public var message: String
  /// The app's or the buildpack's own last lines, oldest first, 20 at most.
  public var evidence: [String]
  public var nextStep: String?

  public init(
    _ phase: DeployPhase, _ code: FailureCode, _ message: String, evidence: [String] = [], next: String? = nil
  ) {
    self.phase = phase
    self.code = code
    self.message = message
    self.evidence = Array(evidence.suffix(20))
    nextStep = next
  }
}
