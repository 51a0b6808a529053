import Platform
import Store
import Wire

/// The texts in `paas releases`, as Heroku writes them.
enum Descriptions {
  /// `Deploy ad7c527e`; a source without a commit goes by its slug.
  static func deploy(commit: CommitID?, slug: Slug) -> String {
    "Deploy " + (commit?.description ?? slug.digest.description).prefix(8)
  }

  /// `Set FOO, BAR config vars`, `Remove FOO config vars`, `Set FOO and remove BAR config vars`.
  static func config(_ changes: [ConfigKey: String?]) -> String {
    func names(_ isSet: Bool) -> String {
      changes.filter { ($0.value != nil) == isSet }.keys.sorted().map(\.description).joined(separator: ", ")
    }
    let (set, removed) = (names(true), names(false))
    if removed.isEmpty { return "Set \(set) config vars" }
    return set.isEmpty ? "Remove \(removed) config vars" : "Set \(set) and remove \(removed) config vars"
  }

  static func rollback(to version: ReleaseVersion) -> String { "Rollback to \(version)" }

  /// `Scaled to web@2 worker@0`
  static func scale(_ rows: [FormationRecord]) -> String {
    "Scaled to " + rows.map { "\($0.type)@\($0.quantity)" }.joined(separator: " ")
  }
}

/// A release as the choice of a rollback sees it.
struct RollbackCandidate: Sendable, Equatable {
  var version: ReleaseVersion
  var status: ReleaseStatus
  var slug: SlugDigest?
  var config: ConfigVars
}

/// Which release a rollback goes back to.
enum RollbackChoice {
  enum Refusal: Error, Equatable {
    case nothingLive, noEarlier
    case unknown(ReleaseVersion)
    case isCurrent(ReleaseVersion)
    case failed(ReleaseVersion)
    case neverDeployed(ReleaseVersion)
  }

  /// The one asked for, if it can run; else the last successful one before the current that differs in slug or config.
  static func pick(_ wanted: ReleaseVersion?, from releases: [RollbackCandidate], current: ReleaseVersion?)
    throws(Refusal) -> ReleaseVersion
  {
    guard let current, let live = releases.first(where: { $0.version == current }) else { throw .nothingLive }
    guard let wanted else {
      let earlier = releases.filter { $0.version < current && $0.status == .succeeded && $0.slug != nil }
        .filter { $0.slug != live.slug || $0.config != live.config }
      guard let last = earlier.map(\.version).max() else { throw .noEarlier }
      return last
    }
    guard let target = releases.first(where: { $0.version == wanted }) else { throw .unknown(wanted) }
    if wanted == current { throw .isCurrent(wanted) }
    if target.status != .succeeded { throw .failed(wanted) }
    if target.slug == nil { throw .neverDeployed(wanted) }
    return wanted
  }
}

extension RollbackChoice.Refusal {
  func apiError(app: AppName) -> APIError {
    let list = "see `paas releases -a \(app)`"
    return switch self {
    case .nothingLive: .conflict("nothing is deployed to \(app), so there is nothing to roll back")
    case .noEarlier: .conflict("\(app) has no earlier release with another slug or config", next: list)
    case .unknown(let version): .notFound("release", version.description, next: list)
    case .isCurrent(let version): .conflict("\(version) is the current release of \(app)", next: list)
    case .failed(let version): .conflict("\(version) did not succeed, so it cannot be rolled back to", next: list)
    case .neverDeployed(let version): .conflict("\(version) has no slug: nothing was deployed then", next: list)
    }
  }
}
