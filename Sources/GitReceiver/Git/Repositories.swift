import Glibc
import Linux
import Logging
import Platform
import Wire

/// All repositories of the receiver: `DIRECTORY/APPID.git`, bare. Keyed by id, so no name from outside is in a path.
struct Repositories: Sendable {
  /// Absolute.
  let directory: String
  /// What one push may cost.
  let limits: PackLimits
  /// The server's process.
  let server: String

  init(directory: String, limits: PackLimits = PackLimits(), server: String = "") {
    self.directory = directory
    self.limits = limits
    self.server = server
  }

  func path(_ app: AppID) -> String { "\(directory)/\(app).git" }

  func quarantine(app: AppID, push: PushID) -> Quarantine {
    Quarantine(push: push, repository: path(app), server: server)
  }

  /// Opens an app's repository; with `create` it is made when it is missing.
  func open(app: AppID, create: Bool) throws -> Repository {
    let path = path(app)
    if create, !Files.exists("\(path)/HEAD") {
      try Files.makeDirectory(directory, mode: 0o700)
      try locked(app) { try Repository.create(path) }
    }
    return try Repository.open(path)
  }

  func refs(_ app: AppID) -> RefFiles { RefFiles(path(app)) }

  /// Opens it with what one push has brought.
  func open(app: AppID, with push: PushID) throws -> Repository {
    try Repository.open(path(app), quarantine: quarantine(app: app, push: push).path)
  }

  /// All objects of an app's repository and of one push, for reading many of them.
  func objects(app: AppID, with push: PushID) throws -> PackStore {
    let quarantine = quarantine(app: app, push: push)
    return try PackStore(path(app), quarantine: quarantine.exists ? quarantine.path : nil, cacheBytes: 8 << 20)
  }

  /// One at a time per repository, across threads and processes: `flock` belongs to the open file, and each call opens
  /// its own. Blocking.
  func locked<Result>(_ app: AppID, _ body: () throws -> Result) throws -> Result {
    let path = "\(path(app)).lock"
    let file = try checked("open '\(path)'") { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    defer { close(file) }
    try checked("lock '\(path)'") { flock(file, LOCK_EX) }
    return try body()
  }
}

/// Work that the server asks for. Every call is idempotent: the server asks again until it has an answer.
extension Repositories {
  /// Moves the push's packs from its quarantine into the repository, durably (step 6 of the path of a push).
  /// Throws ``GitError`` when `new` is not there afterwards.
  func keepObjects(app: AppID, push: PushID, new: CommitID) throws {
    Checkpoint.reach("push.before-keep")
    try locked(app) {
      try quarantine(app: app, push: push).keep()
      guard try open(app: app, create: false).contains(ObjectID(new)) else {
        throw GitError(.internalError, "commit \(new) is not in the repository of app \(app)", next: "push again")
      }
      try Upkeep.expect([ObjectID(new)], by: push, .build, in: path(app))
    }
  }

  /// The build ended without a commit: deletes what the push brought.
  func discardQuarantine(app: AppID, push: PushID) throws {
    guard Files.exists(path(app)) else { return }
    try locked(app) { try quarantine(app: app, push: push).discard() }
  }

  /// Compare-and-swap of one ref, durably. What cannot be done now or ever is an outcome, not an error.
  func apply(_ update: RefUpdate) throws -> RefUpdateOutcome {
    Checkpoint.reach("push.before-ref")
    let outcome = try compareAndSwap(update)
    Checkpoint.reach("push.after-ref")
    return outcome
  }

  private func compareAndSwap(_ update: RefUpdate) throws -> RefUpdateOutcome {
    guard Files.exists(path(update.app)) else { return .impossible(reason: "the repository does not exist") }
    return try locked(update.app) {
      removeStaleLocks(of: update.ref, app: update.app)
      let repository = try open(app: update.app, create: false)
      let new = ObjectID(update.new)
      guard repository.contains(new) else {
        return .impossible(reason: "commit \(update.new) is not in the repository")
      }
      let current = try repository.target(of: update.ref)
      if current != new {
        // A repository that was lost and made again has neither the ref nor what it named: it starts over.
        let isLost = current == nil && !repository.contains(ObjectID(update.old))
        guard try repository.move(update.ref, from: isLost ? ObjectID([]) : ObjectID(update.old), to: new) else {
          let place = current.map { "\($0)" } ?? "nothing"
          return .impossible(reason: "\(update.ref) is at \(place), not at \(update.old)")
        }
      }
      try repository.setHead(update.ref)
      return .applied
    }
  }

  /// A receiver that was killed while it wrote a ref leaves git's lock files behind. Whoever holds the repository's own
  /// lock, which the kernel lets go with its process, knows that no living process holds these.
  private func removeStaleLocks(of ref: RefName, app: AppID) {
    for name in [ref.description, "HEAD", "packed-refs"] { unlink("\(path(app))/\(name).lock") }
  }

  /// The app was destroyed: removes its repository.
  func remove(app: AppID) throws {
    try Files.removeTree(path(app))
    unlink("\(path(app)).lock")
  }
}

/// What the receiver does before it serves anybody.
extension Repositories {
  /// Applies every ref update that the ledger holds for the app, or for all apps, and reports each. Idempotent.
  func applyPending(app: AppID?, server: any PushServer) throws {
    for update in try server.pendingRefUpdates(app: app) {
      let outcome = try apply(update)
      try server.report(outcome, for: update.build)
    }
  }

  /// At the receiver's start: finishes what a killed one had decided about refs, and deletes the quarantines of pushes
  /// that this server never heard of. Those it knows stay until it asks to keep or discard them. One broken repository
  /// does not keep the others from being served.
  func sweepQuarantines(logger: Logger) throws {
    guard Files.exists(directory) else { return }
    for name in try Files.names(in: directory) where name.hasSuffix(".git") {
      guard let app = AppID(String(name.dropLast(4))) else { continue }
      do {
        try sweep(app, logger)
      } catch {
        logger.error("repository not swept", metadata: ["app": "\(app)", "cause": "\(error)"])
      }
    }
  }

  private func sweep(_ app: AppID, _ logger: Logger) throws {
    try RefLocks.sweep(refs(app))
    try removeHooks(app, logger)
    let quarantines = "\(path(app))/\(Quarantine.directoryName)"
    guard Files.exists(quarantines) else { return }
    for push in try Files.names(in: quarantines).compactMap({ PushID($0) }) {
      guard try quarantine(app: app, push: push).isAbandoned() else { continue }
      try discardQuarantine(app: app, push: push)
      logger.info("abandoned quarantine deleted", metadata: ["app": "\(app)", "push": "\(push)"])
    }
  }

  /// Managed repositories have no hooks. Samples go; what somebody has put there on purpose is his to remove.
  private func removeHooks(_ app: AppID, _ logger: Logger) throws {
    let hooks = "\(path(app))/hooks"
    guard Files.exists(hooks) else { return }
    guard try Files.names(in: hooks).allSatisfy({ $0.hasSuffix(".sample") }) else {
      return logger.warning("the repository has hooks, which are not run", metadata: ["app": "\(app)"])
    }
    try Files.removeTree(hooks)
  }
}
