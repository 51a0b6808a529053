import Glibc
import Linux
import Logging
import Platform
import Synchronization

/// Keeps a repository of the platform in few packs: every push brings one, and above fifty all become one again, by
/// copying entries. Packs change places under the repository's lock.
///
/// What no ref reaches stays for two weeks after its pack came. A push that is being checked may rely on any object of
/// the store, reachable or not, so nothing is dropped while there is a quarantine: a push makes its quarantine first
/// and then looks for our mark; we set the mark first and then look for quarantines. One of us sees the other. Between
/// the end of its quarantine and the move of its refs, what these will name is noted (``Upkeep/expect(_:by:_:in:)``).
struct Upkeep {
  let repositories: Repositories
  let app: AppID
  /// Seconds since 1970.
  var now = time(nil)
  var limit = packLimit

  static let packLimit = 50
  static let graceTime: Duration = .seconds(14 * 24 * 60 * 60)
  /// After this time, in seconds, half a pack is not going to be completed.
  private static let leftoverAge = 60 * 60

  struct Report: Equatable {
    var packs = 0
    var objects = 0
    /// Unreachable and old.
    var dropped = 0
    /// Unreachable, and they or what leads to them is not old yet, or a push was under way: in packs of their own.
    var kept = 0
  }

  var path: String { repositories.path(app) }
  private var directory: String { "\(path)/objects/pack" }
  private var quarantines: String { "\(path)/\(Quarantine.directoryName)" }

  /// Consolidates the repository when it has more packs than the limit; `nil` when it has not, or when objects would be
  /// dropped and somebody was at the repository meanwhile. Throws ``GitError`` when an object is missing or damaged; the
  /// repository is then as before. The long part is done without the lock: more objects than needed do no harm.
  func run() throws -> Report? {
    guard try packNames().count > limit else { return nil }
    try repositories.locked(app) { try removeLeftovers() }
    return try consolidate()
  }

  private func packNames() throws -> [String] {
    guard Files.exists(directory) else { return [] }
    return try Files.names(in: directory).filter { $0.hasPrefix("pack-") && $0.hasSuffix(".pack") }
  }

  /// Of an upkeep that was killed; and packs without an index, of a push that was killed while it kept its objects.
  /// While its quarantine is there, that push may be asked to go on.
  private func removeLeftovers() throws {
    let names = Set(try Files.names(in: directory))
    for name in names where name.hasPrefix(UpkeepPack.prefix) { unlink("\(directory)/\(name)") }
    guard try !hasQuarantine else { return }
    for name in try packNames() where !names.contains("\(name.dropLast(5)).idx") {
      var info = stat()
      guard stat("\(directory)/\(name)", &info) == 0, now - info.st_mtim.tv_sec > Self.leftoverAge else { continue }
      unlink("\(directory)/\(name)")
    }
  }

  private var hasQuarantine: Bool {
    get throws { try Files.exists(quarantines) && !Files.names(in: quarantines).isEmpty }
  }

  private func consolidate() throws -> Report? {
    let names = Set(try packNames())
    let store = try PackStore(path)
    // A push may add more while we are at it, and the store take them in: those stay.
    let replaceable = store.packs.map(\.name).filter { $0.hasPrefix("\(directory)/") }
    let reachable = ObjectSelection(store)
    let roots = try roots(store)
    let numbers = try roots.compactMap { try store.number(of: $0) }
    try ObjectClosure(graph: CommitGraph(store), selection: reachable).insert(numbers)
    var unreachable = try UnreachableObjects(store, reachable: reachable)
    let keepAll = try hasQuarantine
    if !keepAll { try unreachable.keepLinked(since: horizon) }
    let (young, old) = unreachable.divided(at: horizon, keepAll: keepAll)
    var made: [UpkeepPack] = []
    defer { for pack in made { pack.removeTemporary() } }
    if reachable.count > 0 { made.append(try UpkeepPack(reachable, in: directory, modified: nil)) }
    for (modified, selection) in young { made.append(try UpkeepPack(selection, in: directory, modified: modified)) }
    let replaced = try repositories.locked(app) {
      if old > 0 {
        try Files.writeDurably([], to: Self.mark(path))
        guard try !hasQuarantine, try Set(packNames()) == names, try self.roots(PackStore(path)) == roots else {
          unlink(Self.mark(path))
          return false
        }
      }
      defer { if old > 0 { unlink(Self.mark(path)) } }
      try replace(replaceable, by: made)
      return true
    }
    guard replaced else { return nil }
    return Report(
      packs: made.count, objects: reachable.count, dropped: old, kept: young.reduce(0) { $0 + $1.selection.count })
  }

  /// The new packs are there, durably, before an old one goes. Who has an old one open keeps it.
  private func replace(_ packs: [String], by made: [UpkeepPack]) throws {
    for pack in made { try pack.publish() }
    try Files.syncDirectory(of: "\(directory)/x")
    Checkpoint.reach("upkeep.before-unlink")
    let names = Set(made.map(\.name))
    for pack in packs where !names.contains(pack) {
      unlink("\(pack).idx")
      unlink("\(pack).pack")
    }
  }

  /// Everything that refs name, hidden or not, and what refs are about to name. Throws ``GitError`` for a ref that
  /// names nothing.
  private func roots(_ store: PackStore) throws -> [ObjectID] {
    let refs = try UploadRefs(store, settings: UploadSettings(), strict: true)
    return (refs.all.map(\.id) + (try expected())).sorted()
  }

  var horizon: Int { now - Int(Self.graceTime.components.seconds) }
}

// MARK: When it runs, and who waits for it

extension Upkeep {
  private static let running = Mutex<Set<AppID>>([])
  /// One repository at a time.
  private static let turn = Mutex(())

  /// Starts a thread that consolidates the repository, if it has too many packs and none is at it. Returns at once.
  static func startIfNeeded(_ repositories: Repositories, app: AppID, logger: Logger) {
    let upkeep = Upkeep(repositories: repositories, app: app)
    // A directory that cannot be read is somebody else's news.
    guard let count = try? upkeep.packNames().count, count > upkeep.limit,
      running.withLock({ $0.insert(app).inserted })
    else { return }
    startThread {
      defer { running.withLock { _ = $0.remove(app) } }
      do {
        guard let report = try turn.withLock({ _ in try upkeep.run() }) else { return }
        logger.info(
          "repository consolidated",
          metadata: [
            "app": "\(app)", "packs": "\(count)", "objects": "\(report.objects)", "dropped": "\(report.dropped)",
          ])
      } catch {
        logger.error("repository not consolidated", metadata: ["app": "\(app)", "cause": "\(error)"])
      }
    }
  }

  private static func mark(_ repository: String) -> String { "\(repository)/pruning" }

  /// For a push that has just made its quarantine: returns when no upkeep is about to drop objects, so that every
  /// object the push sees from now on stays.
  static func waitUntilNothingIsDropped(_ repository: String) throws {
    guard Files.exists(mark(repository)) else { return }
    let path = "\(repository).lock"
    let file = try checked("open '\(path)'") { open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    defer { close(file) }
    try checked("lock '\(path)'") { flock(file, LOCK_EX) }
    unlink(mark(repository))  // of an upkeep that was killed: whoever lives and drops has the lock
  }
}
