public import Platform

/// What the receiver and the server say to each other on `run/receiver.sock`. Only the receiver's uid may connect.
/// Routes under `/receiver/…` need no token. All other API routes on this socket need
/// `Authorization: Bearer SESSION-TOKEN` and then act as that session's account, with its rights and no more.
public enum ReceiverRoutes {
  /// POST ``KeyOffer`` → 200 ``Session``, or 404 for an unknown key.
  public static let sessions = "/receiver/sessions"
  /// POST ``RepositoryRequest`` → 200 ``RepositoryGrant``; 403, 404 with an ``APIError``.
  public static let repositories = "/receiver/repositories"
  /// POST (tar body, headers of ``PushHeaders``) → 201 ``BuildResource``.
  public static func builds(app: AppName) -> String { "/apps/\(app)/builds" }
  /// GET → record stream of one build from a byte offset, ends with ``StreamRecord/Kind/exit``.
  public static func buildOutput(app: AppName, build: BuildID, offset: Int) -> String {
    "/apps/\(app)/builds/\(build)/output?offset=\(offset)"
  }
  /// GET, long poll (25 s): 200 with `[ReceiverWork]`, possibly empty. Items come again until they are answered.
  public static let work = "/receiver/work"
  /// POST ``WorkAnswer`` → 204.
  public static func workAnswer(_ id: String) -> String { "/receiver/work/\(id)" }
  /// GET → `[RefUpdate]` that are committed in the ledger and not yet applied; `?app=ID` for one app.
  public static func refUpdates(app: AppID?) -> String {
    "/receiver/ref-updates" + (app.map { "?app=\($0)" } ?? "")
  }
  /// POST ``RefUpdateOutcome`` → 204.
  public static func refUpdateOutcome(_ build: BuildID) -> String { "/receiver/ref-updates/\(build)" }
  /// DELETE → 204: the client has gone and its build was not accepted, or its session ended.
  public static let session = "/receiver/session"
}

/// A public key that a client has proved to hold, as it stands in an authorized_keys file: `ssh-ed25519 AAAA…`.
public struct KeyOffer: Codable, Sendable {
  public var key: String
  /// The client's address, for the log.
  public var peer: String

  public init(key: String, peer: String) {
    self.key = key
    self.peer = peer
  }
}

/// A session of one account. The token is 32 random bytes in hexadecimal, lives in the server's memory only, and dies
/// with the session or the server.
public struct Session: Codable, Sendable {
  public var account: Account
  public var token: String

  public init(account: Account, token: String) {
    self.account = account
    self.token = token
  }
}

/// "May this session push to / read this app, and where is its repository?"
public struct RepositoryRequest: Codable, Sendable {
  public enum Access: String, Codable, Sendable { case push, read }

  public var token: String
  public var app: AppName
  public var access: Access

  public init(token: String, app: AppName, access: Access) {
    self.token = token
    self.app = app
    self.access = access
  }
}

/// The answer. The receiver keeps the repository of app `id` at `repositories/ID.git` in its own directory.
public struct RepositoryGrant: Codable, Sendable {
  public var app: App
  /// The app did not exist and was created for this push.
  public var created: Bool
  /// `nil` until the first deploy: then the first push of `main` or `master` decides.
  public var deployBranch: String?
  /// The commit the ledger holds for the deploy branch.
  public var tip: CommitID?
  /// What is live: for the note on "Everything up-to-date".
  public var liveRelease: ReleaseVersion?
  public var liveCommit: CommitID?

  public init(
    app: App, created: Bool, deployBranch: String?, tip: CommitID?, liveRelease: ReleaseVersion?, liveCommit: CommitID?
  ) {
    self.app = app
    self.created = created
    self.deployBranch = deployBranch
    self.tip = tip
    self.liveRelease = liveRelease
    self.liveCommit = liveCommit
  }
}

/// Headers that go with a source tarball that comes from a push.
public enum PushHeaders {
  public static let push = "Paas-Push"
  /// Percent-encoded, as refs may hold any UTF-8.
  public static let ref = "Paas-Ref"
  public static let old = "Paas-Old"
  public static let new = "Paas-New"
  /// The commit's own description: its first line, percent-encoded, 200 bytes at most.
  public static let subject = "Paas-Subject"
}

/// Something the server wants of the receiver.
public struct ReceiverWork: Codable, Sendable, Equatable {
  public enum Kind: Codable, Sendable, Equatable {
    /// Move the push's objects from its quarantine into the repository, durably (step 6 of the path of a push).
    /// Answer `ok` also when they are there already.
    case keepObjects(push: PushID, new: CommitID)
    /// The build ended without a commit: delete the quarantine.
    case discardQuarantine(push: PushID)
    /// Compare-and-swap the ref, then post the outcome. Idempotent.
    case applyRefUpdate(RefUpdate)
    /// Close all sessions of this account that came in with this key (fingerprint `SHA256:…`).
    case closeSessions(fingerprint: String)
    /// The app was destroyed: remove its repository.
    case removeRepository
  }

  public var id: String
  /// The app it is about; `nil` for sessions.
  public var app: AppID?
  public var kind: Kind

  public init(id: String, app: AppID?, kind: Kind) {
    self.id = id
    self.app = app
    self.kind = kind
  }
}

/// How a work item ended.
public struct WorkAnswer: Codable, Sendable {
  public var ok: Bool
  /// Why not, in one line.
  public var reason: String?

  public init(ok: Bool, reason: String? = nil) {
    self.ok = ok
    self.reason = reason
  }
}

/// A ref that must move because the ledger says so.
public struct RefUpdate: Codable, Sendable, Equatable {
  public var app: AppID
  public var build: BuildID
  public var ref: RefName
  /// ``CommitID/zero`` when the ref is created.
  public var old: CommitID
  public var new: CommitID

  public init(app: AppID, build: BuildID, ref: RefName, old: CommitID, new: CommitID) {
    self.app = app
    self.build = build
    self.ref = ref
    self.old = old
    self.new = new
  }
}

/// What became of a ``RefUpdate``.
public enum RefUpdateOutcome: Codable, Sendable, Equatable {
  /// The ref stands at `new`, by this call or before.
  case applied
  /// The ref stands elsewhere, or the object is missing; recorded, never retried.
  case impossible(reason: String)
}

/// Payload after the status in the exit record of a build's output.
public struct StreamExit: Codable, Sendable, Equatable {
  /// The build's commit is in the ledger: the ref update is pending or done.
  public var committed: Bool
  public var release: ReleaseVersion?
  /// Stable code and reason in one line, for `! [remote rejected] main -> main (CODE: reason)`.
  public var code: FailureCode?
  public var reason: String?

  public init(committed: Bool, release: ReleaseVersion? = nil, code: FailureCode? = nil, reason: String? = nil) {
    self.committed = committed
    self.release = release
    self.code = code
    self.reason = reason
  }
}
