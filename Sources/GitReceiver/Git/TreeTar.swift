import Archive
import Platform

/// A commit's tree as a tar stream. Paths are bytes and stay as they are; modes are git's; every entry has the
/// commit's time. Submodules become empty directories, as `git archive` has them.
struct TreeTar {
  /// A tree can name the same subtree again and again: a few kilobytes that unfold to terabytes.
  struct Limits: Sendable {
    var entries = 500_000
    var bytes: Int64 = 8 << 30
    var depth = 256
    /// Bytes of the trees above one another that are held at once.
    var treeBytes = 128 << 20
    /// Bytes in one path.
    var path = 4096
  }

  private let store: PackStore
  private var repository: Repository { store.repository }
  private let writer: TarWriter
  private let limits: Limits
  private let time: Int64
  /// Of all trees that were read, written or not.
  private var entries = 0
  private var treeBytes = 0
  private var bytes: Int64 = 0
  private var missing = MissingContents()
  private let pulse: Pulse

  /// Writes the whole tree of the commit to the descriptor. Returns what the tree names and does not hold. Throws
  /// ``GitError``, the Archive room's error or that of `check`, which is called every 250 ms while bytes move; the
  /// stream is then torn, and its reader refuses it.
  @discardableResult
  static func write(
    _ commit: CommitID, of store: PackStore, to descriptor: Int32, limits: Limits = Limits(),
    check: @escaping () throws -> Void = {}
  ) throws -> MissingContents {
    let data = try store.repository.contents(of: ObjectID(commit), .commit)
    guard let links = ObjectLinks.commit(data) else {
      throw GitError(.badObjects, "commit \(commit) has no readable head")
    }
    var tar = TreeTar(
      store: store, writer: try TarWriter(descriptor: descriptor, compression: .none), limits: limits,
      time: CommitText(data).time, pulse: Pulse(check))
    try tar.tree(links.tree, prefix: [], depth: 0)
    try tar.writer.finish()
    return tar.missing
  }

  private init(store: PackStore, writer: TarWriter, limits: Limits, time: Int64, pulse: Pulse) {
    self.store = store
    self.writer = writer
    self.limits = limits
    self.time = time
    self.pulse = pulse
  }

  private mutating func tree(_ id: ObjectID, prefix: [UInt8], depth: Int) throws {
    guard depth < limits.depth else { throw limit("is deeper than \(limits.depth) directories", prefix) }
    let size = try repository.header(of: id)?.size ?? 0
    guard size <= limits.treeBytes - treeBytes else {
      throw limit("has directories inside one another of more than \(limits.treeBytes >> 20) MiB in all", prefix)
    }
    treeBytes += size
    defer { treeBytes -= size }
    let found = try listed(id, prefix: prefix)
    for entry in found { try write(entry, path: prefix + entry.name, depth: depth) }
  }

  /// The entries of a tree. They count here: those of every tree on the way down are held at once.
  private mutating func listed(_ id: ObjectID, prefix: [UInt8]) throws -> [TreeEntry] {
    var found: [TreeEntry] = []
    let room = limits.entries - entries
    try TreeEntry.each(of: try repository.contents(of: id, .tree), tree: id) { entry, _ throws(GitError) in
      guard found.count < room else { throw limit("has more than \(limits.entries) files", prefix + entry.name) }
      found.append(entry)
    }
    entries += found.count
    return found
  }

  private mutating func write(_ entry: TreeEntry, path: [UInt8], depth: Int) throws {
    try pulse.beat()
    guard path.count <= limits.path else { throw limit("has a path of \(path.count) bytes", path) }
    switch entry.mode {
    case .directory:
      try writer.directory(path: path, mtime: time)
      try tree(entry.id, prefix: path + [UInt8(ascii: "/")], depth: depth + 1)
    case .submodule:
      missing.submodules.add(path)
      try writer.directory(path: path, mtime: time)
    case .symlink:
      let (writer, time) = (writer, time)
      try contents(entry.id, path) { try writer.symlink(path: path, target: Array($0), mtime: time) }
    case .executable: try file(entry.id, path, mode: 0o755)
    case .file: try file(entry.id, path, mode: 0o644)
    }
  }

  private mutating func file(_ id: ObjectID, _ path: [UInt8], mode: UInt32) throws {
    let (writer, time, pulse) = (writer, time, pulse)
    try contents(id, path) { data in
      try writer.file(path: path, mode: mode, size: Int64(data.count), mtime: time) { write in
        for start in stride(from: 0, to: data.count, by: Self.piece) {
          try pulse.beat()
          try write(UnsafeRawBufferPointer(rebasing: data[start..<min(data.count, start + Self.piece)]))
        }
      }
    }
  }

  /// Large files are written in pieces of this size.
  private static let piece = 1 << 20

  /// Calls `body` with a blob's bytes: a large one is never copied into memory.
  private mutating func contents(
    _ id: ObjectID, _ path: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    guard let number = try store.number(of: id) else { throw GitError(.badObjects, "the blob \(id) is missing") }
    let size = try store.header(of: number).size
    bytes += Int64(size)
    guard bytes <= limits.bytes else { throw limit("has more than \(limits.bytes >> 20) MiB", path) }
    var isPointer = false
    try store.read(number) { kind, data in
      guard kind == .blob else { throw GitError(.badObjects, "\(id) is a \(kind.name), not a blob") }
      isPointer = MissingContents.isPointer(data)
      try body(data)
    }
    if isPointer { missing.pointers.add(path) }
  }

  private func limit(_ what: String, _ path: [UInt8]) -> GitError {
    GitError(.limit, "the pushed tree \(what), at '\(shown(path))'", next: "keep generated files out of the repository")
  }
}

/// Calls `check` now and then: as often as it is asked to, but at most every 250 ms.
private final class Pulse {
  private let check: () throws -> Void
  private var next = ContinuousClock.now

  init(_ check: @escaping () throws -> Void) { self.check = check }

  func beat() throws {
    let now = ContinuousClock.now
    guard now >= next else { return }
    next = now + .milliseconds(250)
    try check()
  }
}

/// What a pushed tree names and git does not send: submodules, and files that Git LFS keeps elsewhere.
struct MissingContents: Equatable, Sendable {
  /// How many, and the first few paths.
  struct Paths: Equatable, Sendable {
    private(set) var count = 0
    private(set) var first: [String] = []

    mutating func add(_ path: [UInt8]) {
      count += 1
      if first.count < 3 { first.append(GitReceiver.shown(path)) }
    }

    var text: String {
      first.map { "'\($0)'" }.joined(separator: ", ") + (count > first.count ? " and \(count - first.count) more" : "")
    }
  }

  var submodules = Paths()
  var pointers = Paths()

  /// A pointer file of Git LFS (git-lfs specification, "The Pointer"): below 1,024 bytes, and starts so.
  static func isPointer(_ data: some Collection<UInt8>) -> Bool {
    data.count <= 1024 && data.starts(with: "version https://git-lfs.github.com/spec/v1\n".utf8)
  }

  /// For the person who pushes; empty when nothing is missing.
  var warning: String {
    var text = ""
    if submodules.count > 0 {
      text += PushText.error("submodules are not fetched; empty in the build: \(submodules.text)")
      text += PushText.error("next: commit their files, or fetch them while building")
    }
    if pointers.count > 0 {
      let count = pointers.count == 1 ? "1 file is" : "\(pointers.count) files are"
      text += PushText.error("\(count) in Git LFS; the build sees pointers instead: \(pointers.text)")
      text += PushText.error("next: commit the contents (git lfs migrate export), or fetch them while building")
    }
    return text
  }
}

/// What people read in a commit.
struct CommitText {
  /// Seconds since 1970 of the committer, not before 0; 0 when it cannot be read.
  var time: Int64 = 0
  /// The message's first line, 200 bytes at most.
  var subject = ""

  init(_ data: [UInt8]) {
    let text = String(decoding: data.prefix(64 << 10), as: UTF8.self)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let blank = lines.firstIndex(of: "") else { return }
    if let committer = lines[..<blank].first(where: { $0.hasPrefix("committer ") }) {
      let words = committer.split(separator: " ")
      time = max(0, words.dropLast().last.flatMap { Int64($0) } ?? 0)
    }
    let first = lines[blank...].dropFirst().first { !$0.isEmpty } ?? ""
    subject = oneLine(String(first))
    while subject.utf8.count > 200 { subject.removeLast() }
  }
}
