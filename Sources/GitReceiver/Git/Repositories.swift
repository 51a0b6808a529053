import Platform
import Wire

/// All repositories of the receiver: `DIRECTORY/APPID.git`, bare. Keyed by id, so no name from outside is in a path.
struct Repositories: Sendable {
  /// Absolute.
  let directory: String

  init(directory: String) { self.directory = directory }

  /// Opens an app's repository; with `create` it is made when it is missing.
  func open(app: AppID, create: Bool) throws -> Repository {
    throw GitError(.internalError, "not yet")
  }
}

/// Work that the server asks for. Every call is idempotent: the server asks again until it has an answer.
extension Repositories {
  /// Moves the push's packs from its quarantine into the repository, durably (step 6 of the path of a push).
  func keepObjects(app: AppID, push: PushID, new: CommitID) throws {}

  /// The build ended without a commit: deletes what the push brought.
  func discardQuarantine(app: AppID, push: PushID) throws {}

  /// Compare-and-swap of one ref.
  func apply(_ update: RefUpdate) throws -> RefUpdateOutcome { .impossible(reason: "not yet") }

  /// The app was destroyed: removes its repository.
  func remove(app: AppID) throws {}

  /// At the receiver's start: deletes quarantines, except those of builds that may still commit.
  func sweepQuarantines(keeping pushes: Set<PushID>) throws {}
}
