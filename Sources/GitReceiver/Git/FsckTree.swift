extension ObjectCheck {
  /// As in `git fsck` since 2.43; file systems take 255.
  private static let longestName = 4096

  /// Walks the tree, and in step with it the one that it was made from: what is the same in both has been checked.
  func checkTree(_ data: UnsafeRawBufferPointer, id: ObjectID, like base: UnsafeRawBufferPointer?) throws(GitError) {
    guard let start = data.baseAddress, !data.isEmpty else { return }
    let end = start + data.count
    var position = start
    var known = KnownTree(base)
    while true {
      let equal = known.equalEnd(from: position, end: end)
      let next = RawTree.skipEntries(from: position, to: equal)
      known.skip(next - position)
      position = next
      guard position < end else { break }
      guard let entry = RawTreeEntry(at: position, end: end) else {
        throw Self.fault(.tree, id, "cannot be read at byte \(position - start)", "badTree")
      }
      known.advance(to: entry)
      try check(entry, tree: id)
      position = entry.end
    }
    // Names in the order of a tree that is in order are in order.
    if rules == .strict, !known.hadAll { try checkOrder(start, end, tree: id) }
  }

  /// One entry that the base does not have.
  @inline(__always)
  private func check(_ entry: RawTreeEntry, tree: ObjectID) throws(GitError) {
    if let kind = entry.kind { try links.insert(entry.id, kind) }
    guard rules == .strict else { return }
    if entry.hasSlash || FsckName.mayMatter(entry.name) || entry.nameLength > Self.longestName {
      try checkName(entry, tree: tree)
    }
    if entry.start.load(as: UInt8.self) == 0x30 {
      throw fault(entry, tree, "has the mode of '\(name(of: entry))' padded with zeros", "zeroPaddedFilemode")
    }
    let id = entry.id
    if id.loadUnaligned(as: UInt64.self) | id.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
      | UInt64(id.loadUnaligned(fromByteOffset: 16, as: UInt32.self)) == 0
    {
      throw fault(entry, tree, "has an entry '\(name(of: entry))' without an object", "nullSha1")
    }
  }

  @inline(never)
  private func checkName(_ entry: RawTreeEntry, tree: ObjectID) throws(GitError) {
    let found = FsckName(entry.name, count: entry.nameLength)
    if let (what, message) = found.fault { throw fault(entry, tree, "has an entry \(what)", message) }
    guard entry.nameLength <= Self.longestName else {
      throw fault(entry, tree, "has an entry whose name is longer than \(Self.longestName) bytes", "largePathname")
    }
    if found.isModules {
      if entry.isSymlink {
        throw fault(entry, tree, "has a symbolic link '\(name(of: entry))'", "gitmodulesSymlink")
      }
      try special.addModules(id(of: entry))
    }
    // A symbolic link .gitattributes is only worth a line to git.
    if found.isAttributes, !entry.isSymlink { try special.addAttributes(id(of: entry)) }
  }

  /// Whether each entry stands behind the one before, and no file has a directory's name.
  private func checkOrder(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer, tree: ObjectID) throws(GitError) {
    var files = FilesBefore()
    guard var last = RawTreeEntry(at: start, end: end) else { return }
    while last.end < end {
      guard let entry = RawTreeEntry(at: last.end, end: end) else { return }
      switch RawTree.order(last, entry) {
      case .descending: throw fault(entry, tree, "is not sorted at '\(name(of: entry))'", "treeNotSorted")
      case .sameName: throw twice(entry, tree)
      case .ascending(let begins):
        if begins, !last.isDirectory { files.append(last) }
      }
      if entry.isDirectory, files.hasName(of: entry) { throw twice(entry, tree) }
      last = entry
    }
  }

  private func twice(_ entry: RawTreeEntry, _ tree: ObjectID) -> GitError {
    fault(entry, tree, "has two entries '\(name(of: entry))'", "duplicateEntries")
  }

  @inline(never)
  private func fault(_ entry: RawTreeEntry, _ tree: ObjectID, _ what: String, _ message: String) -> GitError {
    Self.fault(.tree, tree, what, message)
  }

  private func name(of entry: RawTreeEntry) -> String {
    shown(UnsafeRawBufferPointer(start: entry.name, count: entry.nameLength))
  }

  private func id(of entry: RawTreeEntry) -> ObjectID {
    ObjectID(UnsafeRawBufferPointer(start: entry.id, count: ObjectID.length))
  }
}

/// The files of a tree whose names a directory can still have, as in `a`, `a.b`, `a/`: each begins the next one's name,
/// so there are no more of them than a name has bytes.
struct FilesBefore {
  private var files: [RawTreeEntry] = []

  var count: Int { files.count }

  /// Adds a file with whose name the next entry begins. Files come in the tree's order.
  mutating func append(_ file: RawTreeEntry) {
    keep(beginningOf: file)
    files.append(file)
  }

  /// Whether one of the files has the directory's name. Directories come in the tree's order.
  mutating func hasName(of directory: RawTreeEntry) -> Bool {
    keep(beginningOf: directory)
    return files.last?.nameLength == directory.nameLength
  }

  /// What comes behind `entry` begins with none of the others.
  private mutating func keep(beginningOf entry: RawTreeEntry) {
    while let file = files.last, !begins(entry, with: file) { files.removeLast() }
  }

  private func begins(_ entry: RawTreeEntry, with file: RawTreeEntry) -> Bool {
    file.nameLength <= entry.nameLength
      && RawTree.common(entry.name, file.name, limit: file.nameLength) == file.nameLength
  }
}

/// A tree that has passed the check, read in step with one that is made from it.
private struct KnownTree {
  private var position: UnsafeRawPointer?
  private let end: UnsafeRawPointer?
  /// All entries of the other tree so far have names and kinds that this one has, in its order.
  private(set) var hadAll: Bool

  init(_ base: UnsafeRawBufferPointer?) {
    position = base?.baseAddress
    end = position.flatMap { start in base.map { start + $0.count } }
    hadAll = end != nil
  }

  /// How far the other tree's bytes from `start` on are the same as here.
  @inline(__always)
  func equalEnd(from start: UnsafeRawPointer, end otherEnd: UnsafeRawPointer) -> UnsafeRawPointer {
    guard let position, let end else { return start }
    return start + RawTree.common(start, position, limit: min(otherEnd - start, end - position))
  }

  @inline(__always)
  mutating func skip(_ count: Int) {
    if let here = position { position = here + count }
  }

  /// Goes to the place of `entry` here, and behind it if this tree has its name.
  mutating func advance(to entry: RawTreeEntry) {
    while let here = position, let end, here < end {
      guard let mine = RawTreeEntry(at: here, end: end) else {
        position = nil
        break
      }
      switch RawTree.order(mine, entry) {
      case .ascending: position = mine.end
      case .sameName:
        position = mine.end
        if mine.isDirectory != entry.isDirectory { hadAll = false }
        return
      case .descending:
        hadAll = false
        return
      }
    }
    hadAll = false
  }
}
