import Glibc
import Linux

/// Why a ref was not changed, in git's words, without a full stop.
struct RefFailure: Error, Equatable {
  var message: String
}

/// Holds git's lock files (`refs/heads/main.lock`) so that their owner's death is seen.
///
/// git's own lock files outlive a killed process, and then stop everybody until a person removes them. Ours are hard
/// links to one *token*: a file with our name in it, on which the living owner holds a kernel lock. So a lock file that
/// holds our name and is not locked belongs to a dead process, and whoever wants the ref removes it. Everything of one
/// owner lies in `paas-refs-…` beside `HEAD`; ``sweep(_:)`` clears up after the dead. For one thread.
final class RefLocks {
  let refs: RefFiles
  private var workspace: String?
  /// A file system allows only so many names for one file, so there is a new token when the others are full.
  private var tokens: [(file: Int32, links: Int)] = []
  /// The names of all files we have locked, one per line.
  private var list: Int32 = -1
  /// What is locked, and by which token.
  private var held: [[UInt8]: Int] = [:]
  /// What has been locked since somebody emptied this.
  var recent: [[UInt8]] = []
  private let linksPerToken: Int

  private static let prefix = "paas-refs-"
  private static let mark = "paas receive-pack "

  /// File systems allow so many names for one file; ext4 65,000.
  init(_ refs: RefFiles, linksPerToken: Int = 30_000) {
    self.refs = refs
    self.linksPerToken = max(1, linksPerToken)
  }

  deinit {
    releaseAll()
    if let workspace { try? Files.removeTree(workspace) }  // otherwise the next sweep does
    for file in tokens.map(\.file) + [list] where file >= 0 { close(file) }
  }

  /// Lets go without removing anything: whoever comes next finds locks, journal and no living owner, and replays.
  func leaveToReplay() {
    held = [:]
    workspace = nil
    for file in tokens.map(\.file) + [list] where file >= 0 { close(file) }
    tokens = []
    list = -1
  }

  /// A directory of this owner, for what becomes part of the repository by a rename.
  func directory() throws -> String {
    if let workspace { return workspace }
    while true {
      let path = "\(refs.directory)/\(Self.prefix)\(getpid())-\(UInt64.random(in: 0 ... .max))"
      try Files.makeDirectory(path, mode: 0o700)
      let file = try Self.makeToken("\(path)/token", text: Self.text(ofTokenIn: path))
      // A sweep that came between the two lines took it for a dead one's.
      guard let file else { continue }
      tokens = [(file, 0)]
      workspace = path
      return path
    }
  }

  private static func text(ofTokenIn workspace: String) -> String {
    "\(mark)\(workspace.split(separator: "/").last ?? "")\n"
  }

  private static func token(_ number: Int) -> String { number == 0 ? "token" : "token-\(number)" }

  /// The number of a token that can have one more name.
  private func roomyToken(in directory: String) throws -> Int {
    if let number = tokens.firstIndex(where: { $0.links < linksPerToken }) { return number }
    let path = "\(directory)/\(Self.token(tokens.count))"
    guard let file = try Self.makeToken(path, text: Self.text(ofTokenIn: directory)) else {
      throw RefFailure(message: "'\(path)' disappeared")
    }
    tokens.append((file, 0))
    return tokens.count - 1
  }

  /// Makes the token and takes its lock; `nil` when it disappeared in between.
  private static func makeToken(_ path: String, text: String) throws -> Int32? {
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    if file < 0, errno == ENOENT { return nil }
    guard file >= 0 else { throw SystemError("create '\(path)'") }
    try checked("lock '\(path)'") { flock(file, LOCK_EX | LOCK_NB) }
    try Files.writeAll(Array(text.utf8), to: file, name: path)
    if Files.exists(path) { return file }
    close(file)
    return nil
  }

  // MARK: Locks

  /// Takes the lock of one file below the repository, waiting at most `limit` for a living owner.
  /// Throws ``RefFailure`` in git's words.
  func acquire(_ name: [UInt8], within limit: Duration) throws {
    let directory = try directory()
    let number = try roomyToken(in: directory)
    let token = "\(directory)/\(Self.token(number))"
    let deadline = ContinuousClock.now + limit
    let lock = refs.path(name, suffix: ".lock")
    try note(name, in: directory)
    while link(token, lock) != 0 {
      switch errno {
      case EEXIST:
        if removeStale(lock) { continue }
        guard ContinuousClock.now < deadline else { throw RefFailure(message: taken(name)) }
        usleep(10_000)
      case ENOENT:
        try makeParent(of: name)
      default:
        throw RefFailure(message: "Unable to create '\(Self.text(lock))': \(String(cString: strerror(errno)))")
      }
    }
    tokens[number].links += 1
    held[name] = number
    recent.append(name)
  }

  func release(_ name: [UInt8]) {
    guard let number = held.removeValue(forKey: name) else { return }
    if unlink(refs.path(name, suffix: ".lock")) == 0 { tokens[number].links -= 1 }
  }

  func releaseAll() {
    for name in Array(held.keys) { release(name) }
    recent = []
  }

  /// Which locks are ours, for the sweep after our death.
  private func note(_ name: [UInt8], in directory: String) throws {
    if list < 0 {
      list = try checked("open '\(directory)/locks'") {
        open("\(directory)/locks", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
      }
    }
    try Files.writeAll(name + [10], to: list, name: "\(directory)/locks")
  }

  private func makeParent(of name: [UInt8]) throws {
    var end = name.startIndex
    while let slash = name[end...].firstIndex(of: UInt8(ascii: "/")) {
      if mkdir(refs.path(name[..<slash]), 0o777) != 0, errno != EEXIST {
        throw RefFailure(
          message: "Unable to create '\(Self.text(refs.path(name, suffix: ".lock")))': "
            + String(cString: strerror(errno)))
      }
      end = slash + 1
    }
  }

  /// Removes a lock of ours whose owner is dead.
  private func removeStale(_ lock: [CChar]) -> Bool {
    let file = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    if file < 0 { return errno == ENOENT }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(file, &buffer, buffer.count)
    guard count > 0, buffer[..<count].starts(with: Self.mark.utf8), flock(file, LOCK_EX | LOCK_NB) == 0 else {
      return false
    }
    // It may have been released and taken anew since we opened it.
    var ours = stat()
    var there = stat()
    guard fstat(file, &ours) == 0, lstat(lock, &there) == 0, ours.st_ino == there.st_ino else { return true }
    // The dead owner had decided: what it meant to do is done first.
    let owner = String(decoding: buffer[Self.mark.utf8.count..<count], as: UTF8.self).split(separator: "\n").first ?? ""
    let workspace = "\(refs.directory)/\(owner)"
    if owner.hasPrefix(Self.prefix), !owner.contains("/"), !RefJournal.replay(workspace, refs) { return false }
    unlink(lock)
    return true
  }

  /// git's words, to the dot.
  private func taken(_ name: [UInt8]) -> String {
    """
    Unable to create '\(refs.directory)/./\(String(decoding: name, as: UTF8.self)).lock': File exists.

    Another git process seems to be running in this repository, e.g.
    an editor opened by 'git commit'. Please make sure all processes
    are terminated then try again. If it still fails, a git process
    may have crashed in this repository earlier:
    remove the file manually to continue.
    """
  }

  private static func text(_ path: [CChar]) -> String {
    String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // MARK: After the dead

  /// Finishes or forgets what killed owners have left in the repository: what they had decided is done, their locks go.
  static func sweep(_ refs: RefFiles) throws {
    for name in try Files.names(in: refs.directory) where name.hasPrefix(prefix) {
      let workspace = "\(refs.directory)/\(name)"
      let file = open("\(workspace)/token", O_RDONLY | O_CLOEXEC)
      if file < 0 {
        // Just made by a living process, or half removed.
        rmdir(workspace)
        continue
      }
      defer { close(file) }
      guard flock(file, LOCK_EX | LOCK_NB) == 0 else { continue }
      guard RefJournal.replay(workspace, refs) else { continue }
      try removeLocks(of: workspace, refs)
      try Files.removeTree(workspace)
    }
  }

  private static func removeLocks(of workspace: String, _ refs: RefFiles) throws {
    // Without a list it locked nothing.
    guard let names = try? Files.read("\(workspace)/locks", limit: 1 << 30) else { return }
    // An inode's number is its own on one file system only.
    var tokens: Set<[UInt64]> = []
    for name in try Files.names(in: workspace) where name.hasPrefix("token") {
      var info = stat()
      if lstat("\(workspace)/\(name)", &info) == 0 { tokens.insert([UInt64(info.st_dev), UInt64(info.st_ino)]) }
    }
    for name in names.split(separator: 10) {
      let lock = refs.path(name, suffix: ".lock")
      var info = stat()
      if lstat(lock, &info) == 0, tokens.contains([UInt64(info.st_dev), UInt64(info.st_ino)]) { unlink(lock) }
    }
  }
}
