public import Platform

/// A row of `apps`.
public struct AppRecord: Sendable, Equatable {
  public var app: App
  public var owner: Account
  /// The app's host uid is the installation's base plus this; never given twice.
  public var uidIndex: Int
  /// `main`; `nil` before the first deploy from a push.
  public var deployBranch: String?
  /// The deployed commit of the deploy branch.
  public var tip: CommitID?
  public var currentRelease: ReleaseID?
  public var createdAt: Timestamp
  public var updatedAt: Timestamp
  public var releasedAt: Timestamp?
  public var deletedAt: Timestamp?

  public var id: AppID { app.id }
  public var name: AppName { app.name }

  public init(
    app: App, owner: Account, uidIndex: Int, deployBranch: String? = nil, tip: CommitID? = nil,
    currentRelease: ReleaseID? = nil, createdAt: Timestamp, updatedAt: Timestamp, releasedAt: Timestamp? = nil,
    deletedAt: Timestamp? = nil
  ) {
    self.app = app
    self.owner = owner
    self.uidIndex = uidIndex
    self.deployBranch = deployBranch
    self.tip = tip
    self.currentRelease = currentRelease
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.releasedAt = releasedAt
    self.deletedAt = deletedAt
  }
}

/// What made a release.
public enum ReleaseKind: String, Sendable, Codable { case deploy, config, rollback }

/// A release that is about to be written down.
public struct NewRelease: Sendable {
  public var kind: ReleaseKind
  public var description: String
  public var slug: Slug?
  public var stack: Stack?
  public var commit: CommitID?
  public var processTypes: ProcessTypes
  public var build: BuildID?

  public init(
    kind: ReleaseKind, description: String, slug: Slug?, stack: Stack?, commit: CommitID?, processTypes: ProcessTypes,
    build: BuildID? = nil
  ) {
    self.kind = kind
    self.description = description
    self.slug = slug
    self.stack = stack
    self.commit = commit
    self.processTypes = processTypes
    self.build = build
  }
}

/// A row of `releases`. Only status and failure ever change, once.
public struct ReleaseRecord: Sendable, Equatable {
  public var id: ReleaseID
  public var app: AppID
  public var version: ReleaseVersion
  public var kind: ReleaseKind
  public var description: String
  public var status: ReleaseStatus
  /// Why it failed: `R10: web.1 …`.
  public var failure: String?
  public var slug: Slug?
  public var stack: Stack?
  public var commit: CommitID?
  public var processTypes: ProcessTypes
  public var account: Account
  public var build: BuildID?
  public var createdAt: Timestamp
  public var updatedAt: Timestamp
}

/// A row of `builds`.
public struct BuildRecord: Sendable, Equatable {
  public var id: BuildID
  public var app: AppID
  public var status: BuildStatus
  public var account: Account
  /// `nil` for a source that did not come from a push.
  public var push: PushContext?
  /// The app's newest release number when the build was opened: a rollback above it overtakes the build.
  public var baseVersion: Int
  public var supersededBy: BuildID?
  public var buildpack: String?
  public var slug: Slug?
  public var release: ReleaseID?
  public var releaseVersion: ReleaseVersion?
  public var failureCode: FailureCode?
  public var failure: String?
  public var createdAt: Timestamp
  public var updatedAt: Timestamp
}

/// A row of `formations`.
public struct FormationRecord: Sendable, Equatable {
  public var type: ProcessType
  public var quantity: Int
  /// The launch that runs this type; `nil` before it first ran.
  public var launch: LaunchID?

  public init(type: ProcessType, quantity: Int, launch: LaunchID?) {
    self.type = type
    self.quantity = quantity
    self.launch = launch
  }
}

/// A row of `keys`.
public struct KeyRecord: Sendable, Equatable {
  public var id: String
  public var account: Account
  /// `SHA256:…`
  public var fingerprint: String
  public var publicKey: String
  public var comment: String
  public var createdAt: Timestamp
}

/// A row of `intents`.
public struct IntentRecord: Sendable, Equatable {
  public enum Kind: String, Sendable {
    /// Instances of this launch are being started; it is not the current one yet.
    case launch
    /// The app is being removed.
    case destroy
  }

  public var id: String
  public var kind: Kind
  public var app: AppID
  public var launch: LaunchID?
}

/// A row of `ref_updates`: a pending or ended compare-and-swap in the receiver's repository.
public struct RefUpdateRecord: Sendable, Equatable {
  public enum State: String, Sendable { case pending, applied, impossible }

  public var app: AppID
  public var build: BuildID
  public var ref: RefName
  public var old: CommitID
  public var new: CommitID
  public var state: State
}

/// A row of `failures`.
public struct FailureRecord: Sendable, Equatable {
  public var phase: String
  public var code: FailureCode
  public var message: String
  public var at: Timestamp
}
