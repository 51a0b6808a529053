import Glibc
import Linux
import Platform

/// What a transaction of several refs has decided, written down before the first of them moves: from then on they all
/// move, also when the process is killed in between. The refs' locks stay until the last has moved, so a replay finds
/// them as the dead process left them.
struct RefJournal {
  enum Form: String {
    /// A file per ref.
    case loose
    /// All of them in `packed-refs`.
    case packed
  }

  struct Change {
    var name: [UInt8]
    /// Zero: deleted.
    var new: ObjectID
    /// What a tag leads to.
    var peeled: ObjectID?
    /// The file in the workspace that becomes the ref, where it becomes a file.
    var number: Int
  }

  var form: Form
  var changes: [Change]

  static func exists(in workspace: String) -> Bool { Files.exists("\(workspace)/journal") }

  /// Makes the decision durable.
  func write(in workspace: String) throws {
    var text = Array("\(form.rawValue)\n".utf8)
    for change in changes {
      text += Array("\(change.number) \(change.new) \(change.peeled ?? ObjectID([])) ".utf8) + change.name + [10]
    }
    try Files.writeDurably(text, to: "\(workspace)/journal")
  }

  private static func read(_ workspace: String) throws -> RefJournal? {
    let lines = try Files.read("\(workspace)/journal", limit: 1 << 30).split(separator: 10)
    guard let form = lines.first.flatMap({ Form(rawValue: String(decoding: $0, as: UTF8.self)) }) else { return nil }
    let changes = lines.dropFirst().compactMap { line -> Change? in
      let parts = line.split(separator: 32, maxSplits: 3)
      guard parts.count == 4, let number = Int(String(decoding: parts[0], as: UTF8.self)),
        let new = ObjectID(parts[1]), let peeled = ObjectID(parts[2])
      else { return nil }
      return Change(name: Array(parts[3]), new: new, peeled: peeled.isZero ? nil : peeled, number: number)
    }
    return RefJournal(form: form, changes: changes)
  }

  /// Makes the changes, those that are made already excepted. The caller holds the locks, or found their owner dead.
  func apply(in workspace: String, _ refs: RefFiles) throws {
    try rewritePacked(in: workspace, refs)
    Checkpoint.reach("push.refs-half-moved")
    var directories: Set<[UInt8]> = []
    for change in changes {
      let directory = Array(change.name[..<(change.name.lastIndex(of: UInt8(ascii: "/")) ?? 0)])
      if change.new.isZero || form == .packed {
        if unlink(refs.path(change.name)) == 0 {
          directories.insert(directory)
        } else if ![ENOENT, ENOTDIR, EISDIR].contains(errno) {
          throw SystemError("delete '\(shown(change.name))'")
        }
      } else {
        try Self.move("\(workspace)/\(change.number)", to: change.name, refs)
        directories.insert(directory)
      }
    }
    for directory in directories { try Self.sync(directory, refs) }
  }

  /// The packed values first: an older one would show for a moment, or after a crash, when the loose one is gone.
  private func rewritePacked(in workspace: String, _ refs: RefFiles) throws {
    let deleted = Set(changes.filter(\.new.isZero).map(\.name))
    let set = form == .packed ? changes.filter { !$0.new.isZero } : []
    let packed = try refs.packedRefs()
    guard !set.isEmpty || deleted.contains(where: { packed.id(of: $0) != nil }) else { return }
    let path = "\(workspace)/packed-refs"
    unlink(path)
    let text = packed.text(without: deleted, adding: set.map { ($0.name, $0.new, $0.peeled) })
    try Files.writeSynced(text, to: path, mode: 0o644)
    try checked("replace 'packed-refs'") { rename(path, "\(refs.directory)/packed-refs") }
    try Files.syncDirectory(of: "\(refs.directory)/packed-refs")
  }

  private static func move(_ value: String, to name: [UInt8], _ refs: RefFiles) throws {
    let path = refs.path(name)
    if rename(value, path) == 0 { return }
    if errno == EISDIR || errno == ENOTEMPTY || errno == EEXIST {
      refs.removeEmptyDirectories(at: name)
      if rename(value, path) == 0 { return }
    }
    // In a replay: it has moved before.
    guard errno == ENOENT, !Files.exists(value) else { throw SystemError("write '\(shown(name))'") }
  }

  private static func sync(_ directory: [UInt8], _ refs: RefFiles) throws {
    let descriptor = open(refs.path(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // An emptied directory may have been removed by somebody who cleans up.
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    try checked("sync '\(shown(directory))'") { fsync(descriptor) }
  }

  /// After the death of its owner. `false`: it cannot be done now; the journal stays for the next one, and so must the
  /// locks, or it would later be replayed over newer refs.
  static func replay(_ workspace: String, _ refs: RefFiles) -> Bool {
    guard exists(in: workspace) else { return true }
    do {
      guard let journal = try read(workspace) else { return false }
      try journal.apply(in: workspace, refs)
      return unlink("\(workspace)/journal") == 0
    } catch {
      return false
    }
  }
}

extension Files {
  /// Writes a new file whose bytes are on the disk, and whose name need not be: it is about to be renamed.
  static func writeSynced(_ bytes: some Sequence<UInt8>, to path: String, mode: UInt32) throws(SystemError) {
    let file = try checked("create '\(path)'") { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode) }
    defer { close(file) }
    try writeAll(Array(bytes), to: file, name: path)
    try checked("sync '\(path)'") { fsync(file) }
  }
}
