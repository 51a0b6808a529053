import Glibc
import Linux
import Logging
import Platform
import Synchronization

/// Keeps a repository of the platform in few packs: every push brings one, and above fifty all become one again, by
/// copying entries, under the repository's lock.
///
/// What no ref reaches stays for two weeks after its pack came. A push that is being checked may rely on any object of
/// the store, reachable or not, so nothing is dropped while there is a quarantine: a push makes its quarantine first
/// and then looks for our mark; we set the mark first and then look for quarantines. One of us sees the other. Between
/// the end of its quarantine and the move of its ref, a commit that was kept is noted in a directory of its own.
struct Upkeep {
  let repositories: Repositories
  let app: AppID
  /// Seconds since 1970.
  var now = time(nil)
  var limit = packLimit

  static let packLimit = 50
  static let graceTime: Duration = .seconds(14 * 24 * 60 * 60)
  private static let day = 24 * 60 * 60

  struct Report: Equatable {
    var packs = 0
    var objects = 0
    /// Unreachable and old.
    var dropped = 0
    /// Unreachable and not old yet, or a push was under way: in packs of their own.
    var kept = 0
  }

  private var path: String { repositories.path(app) }
  private var directory: String { "\(path)/objects/pack" }
  private var quarantines: String { "\(path)/\(Quarantine.directoryName)" }

  /// Consolidates the repository when it has more packs than the limit; `nil` when it has not. Waits for its lock.
  /// Throws ``GitError`` when an object is missing or damaged; the repository is then as before.
  func run() throws -> Report? {
    try repositories.locked(app) {
      try removeLeftovers()
      guard try packNames().count > limit else { return nil }
      return try consolidate()
    }
  }

  private func packNames() throws -> [String] {
    guard Files.exists(directory) else { return [] }
    return try Files.names(in: directory).filter { $0.hasPrefix("pack-") && $0.hasSuffix(".pack") }
  }

  /// Of an upkeep that was killed.
  private func removeLeftovers() throws {
    guard Files.exists(directory) else { return }
    for name in try Files.names(in: directory) where name.hasPrefix(UpkeepPack.prefix) {
      unlink("\(directory)/\(name)")
    }
  }

  private var hasQuarantine: Bool {
    get throws { try Files.exists(quarantines) && !Files.names(in: quarantines).isEmpty }
  }

  private func consolidate() throws -> Report? {
    let store = try PackStore(path)
    let reachable = ObjectSelection(store)
    let roots = try roots(store)
    try ObjectClosure(graph: CommitGraph(store), selection: reachable).insert(roots)
    let (young, old) = try unreachable(store, reachable, keepAll: try hasQuarantine)
    var made: [UpkeepPack] = []
    defer { for pack in made { pack.removeTemporary() } }
    if reachable.count > 0 { made.append(try UpkeepPack(reachable, in: directory, modified: nil)) }
    for (modified, selection) in young { made.append(try UpkeepPack(selection, in: directory, modified: modified)) }
    if old > 0 {
      try Files.writeDurably([], to: Self.mark(path))
      guard try !hasQuarantine else {
        unlink(Self.mark(path))
        return nil
      }
    }
    defer { if old > 0 { unlink(Self.mark(path)) } }
    for pack in made { try pack.publish() }
    try Files.syncDirectory(of: "\(directory)/x")
    Checkpoint.reach("upkeep.before-unlink")
    let names = Set(made.map(\.name))
    for pack in store.packs where pack.name.hasPrefix("\(directory)/") && !names.contains(pack.name) {
      unlink("\(pack.name).idx")
      unlink("\(pack.name).pack")
    }
    return Report(
      packs: made.count, objects: reachable.count, dropped: old, kept: young.reduce(0) { $0 + $1.selection.count })
  }

  /// Everything that refs name, hidden or not, and what refs are about to name.
  private func roots(_ store: PackStore) throws -> [ObjectNumber] {
    let refs = try UploadRefs(store, settings: UploadSettings(), strict: true)
    return try (refs.all.map(\.id) + expected()).compactMap { try store.number(of: $0) }
  }

  private static func expected(_ repository: String) -> String { "\(repository)/expected" }

  /// Notes, under the repository's lock, that a ref will move to this commit.
  static func expect(_ commit: ObjectID, in repository: String) throws {
    try Files.makeDirectory(expected(repository), mode: 0o700)
    try Files.writeDurably([], to: "\(expected(repository))/\(commit)")
  }

  /// The commits so noted; forgets those whose ref has had two weeks to move.
  private func expected() throws -> [ObjectID] {
    let directory = Self.expected(path)
    guard Files.exists(directory) else { return [] }
    var ids: [ObjectID] = []
    for name in try Files.names(in: directory) {
      var info = stat()
      guard let id = UploadRequest.id(name), stat("\(directory)/\(name)", &info) == 0 else { continue }
      if info.st_mtim.tv_sec < horizon { unlink("\(directory)/\(name)") } else { ids.append(id) }
    }
    return ids
  }

  private var horizon: Int { now - Int(Self.graceTime.components.seconds) }

  /// What is not reachable, by the day on which it came; and how many objects are too old to stay.
  private func unreachable(
    _ store: PackStore, _ reachable: ObjectSelection, keepAll: Bool
  ) throws -> (young: [(modified: Int, selection: ObjectSelection)], old: Int) {
    var newest = NumberMap(0, for: store)
    for (index, pack) in store.packs.enumerated() {
      for position in 0..<pack.count {
        let number = try store.number(pack: index, position: position)
        if !reachable.contains(number) { newest[number] = max(newest[number], pack.modified, 1) }
      }
    }
    var days: [Int: (modified: Int, selection: ObjectSelection)] = [:]
    var old = 0
    for index in 0..<store.packedCount where newest[ObjectNumber(index)] > 0 {
      let modified = newest[ObjectNumber(index)]
      guard modified >= horizon || keepAll else {
        old += 1
        continue
      }
      let day = max(modified, horizon) / Self.day
      let entry = days[day] ?? (modified, ObjectSelection(store))
      entry.selection.insert(ObjectNumber(index))
      days[day] = (max(entry.modified, modified), entry.selection)
    }
    return (days.sorted { $0.key < $1.key }.map(\.value), old)
  }
}

// MARK: When it runs, and who waits for it

extension Upkeep {
  private static let running = Mutex<Set<AppID>>([])

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
        guard let report = try upkeep.run() else { return }
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
