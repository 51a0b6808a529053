import Glibc
import Linux

/// What a transaction of several refs has decided, written down before the first of them moves: from then on they all
/// move, also when the process is killed in between. The refs' locks stay until the last has moved, so a replay finds
/// them as the dead process left them.
struct RefJournal {
  struct Change {
    var name: [UInt8]
    /// Zero: deleted.
    var new: ObjectID
    /// The file in the workspace that becomes the ref.
    var number: Int
  }

  static func exists(in workspace: String) -> Bool { Files.exists("\(workspace)/journal") }

  /// Makes the decision durable.
  static func write(_ changes: [Change], in workspace: String) throws {
    var text: [UInt8] = []
    for change in changes { text += Array("\(change.number) \(change.new) ".utf8) + change.name + [10] }
    try Files.writeDurably(text, to: "\(workspace)/journal")
  }

  /// Makes the changes, those that are made already excepted. The caller holds the locks, or found their owner dead.
  static func apply(_ changes: [Change], in workspace: String, _ refs: RefFiles) throws {
    let deleted = Set(changes.filter(\.new.isZero).map(\.name))
    // The packed value first: otherwise it shows again for a moment when the loose one is gone.
    if try !deleted.isEmpty && !refs.packedRefs().refs.allSatisfy({ !deleted.contains($0.name) }) {
      let packed = "\(workspace)/packed-refs"
      unlink(packed)
      try Files.writeDurably(try refs.packedRefs().text(without: deleted), to: packed, mode: 0o644)
      try checked("replace 'packed-refs'") { rename(packed, "\(refs.directory)/packed-refs") }
      try Files.syncDirectory(of: "\(refs.directory)/packed-refs")
    }
    var directories: Set<[UInt8]> = []
    for change in changes {
      if change.new.isZero {
        if unlink(refs.path(change.name)) != 0, errno != ENOENT, errno != ENOTDIR, errno != EISDIR {
          throw SystemError("delete '\(shown(change.name))'")
        }
      } else {
        try move("\(workspace)/\(change.number)", to: change.name, refs)
      }
      directories.insert(Array(change.name[..<(change.name.lastIndex(of: UInt8(ascii: "/")) ?? 0)]))
    }
    for directory in directories { try sync(directory, refs) }
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

  /// After the death of its owner. What cannot be done now is tried again by the next one: the journal stays.
  static func replay(_ workspace: String, _ refs: RefFiles) {
    do {
      let changes = try Files.read("\(workspace)/journal", limit: 1 << 30).split(separator: 10).compactMap {
        line -> Change? in
        let parts = line.split(separator: 32, maxSplits: 2)
        guard parts.count == 3, let number = Int(String(decoding: parts[0], as: UTF8.self)),
          let new = ObjectID(parts[1])
        else { return nil }
        return Change(name: Array(parts[2]), new: new, number: number)
      }
      try apply(changes, in: workspace, refs)
      unlink("\(workspace)/journal")
    } catch {
      return
    }
  }
}
