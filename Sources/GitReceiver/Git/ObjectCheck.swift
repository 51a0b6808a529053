/// The least that an object must be before it may enter a repository: what `git fsck` says about trees that could
/// hurt whoever unpacks them, and the lines of commits and tags that we read ourselves.
struct ObjectCheck: Sendable {
  /// Throws ``GitError`` of kind `badObjects` that names the object.
  func check(_ kind: ObjectKind, _ data: [UInt8], id: ObjectID) throws(GitError) {
    switch kind {
    case .blob: return
    case .tree: try Self.check(tree: data, id: id)
    case .commit:
      guard ObjectLinks.commit(data) != nil else { throw Self.bad("commit \(id)", "has no readable head") }
    case .tag:
      guard ObjectLinks.tag(data) != nil else { throw Self.bad("tag \(id)", "has no readable head") }
    }
  }

  /// As in `git fsck`; file systems take 255.
  private static let longestName = 4096

  private static func check(tree data: [UInt8], id: ObjectID) throws(GitError) {
    // Files whose name begins the current one: where a directory of the same name can still come, as in `a`, `a.b`,
    // `a/`. Each begins the next, so whoever begins with the last one begins with all.
    var files: [ArraySlice<UInt8>] = []
    try TreeEntry.each(of: data, tree: id) { entry, previous throws(GitError) in
      try check(entry, previous: previous, tree: id)
      while let last = files.last, !entry.name.starts(with: last) { files.removeLast() }
      if entry.mode != .directory {
        files.append(entry.name)
      } else if files.last == entry.name {
        throw bad("tree \(id)", "has two entries '\(shown(entry.name))'")
      }
    }
  }

  private static func check(_ entry: TreeEntry, previous: TreeEntry?, tree: ObjectID) throws(GitError) {
    func refuse(_ reason: String) -> GitError { bad("tree \(tree)", reason) }
    guard !entry.name.isEmpty, !entry.name.contains(UInt8(ascii: "/")) else {
      throw refuse("has an entry with an empty name or a '/' in it")
    }
    guard entry.name.count <= longestName else {
      throw refuse("has an entry whose name is longer than \(longestName) bytes")
    }
    let name = String(decoding: entry.name, as: UTF8.self).lowercased()
    guard name != ".", name != "..", name != ".git", name != "git~1" else {
      throw refuse("has an entry named '\(name)'")
    }
    guard entry.mode != nil else { throw refuse("has an entry '\(shown(entry.name))' of an unknown mode") }
    guard name != ".gitmodules" || entry.mode != .symlink else { throw refuse("has a symbolic link '.gitmodules'") }
    guard !entry.id.isZero else { throw refuse("has an entry '\(shown(entry.name))' without an object") }
    if let previous {
      guard previous.name != entry.name else { throw refuse("has two entries '\(shown(entry.name))'") }
      guard previous.sortKey.lexicographicallyPrecedes(entry.sortKey) else { throw refuse("is not sorted") }
    }
  }

  private static func bad(_ object: String, _ reason: String) -> GitError {
    GitError(.badObjects, "\(object) \(reason)", next: "run `git fsck` in the clone, repair it, then push again")
  }
}

/// One line of a tree object.
struct TreeEntry: Equatable {
  /// The modes git writes; others are refused.
  enum Mode: UInt32 {
    case directory = 0o40000
    case file = 0o100644
    case groupWritableFile = 0o100664
    case executable = 0o100755
    case symlink = 0o120000
    case submodule = 0o160000
  }

  /// Bytes, in no known encoding.
  var name: ArraySlice<UInt8>
  /// `nil`: one that git does not write.
  var mode: Mode?
  var id: ObjectID

  /// Trees sort as if the names of directories ended in '/'.
  fileprivate var sortKey: [UInt8] { mode == .directory ? name + [UInt8(ascii: "/")] : Array(name) }

  /// Reads a tree object: calls `body` with each entry and the one before. Throws ``GitError`` for a torn tree.
  static func each(
    of data: [UInt8], tree: ObjectID, _ body: (TreeEntry, TreeEntry?) throws(GitError) -> Void
  ) throws(GitError) {
    var rest = data[...]
    var previous: TreeEntry?
    while !rest.isEmpty {
      guard let space = rest.prefix(8).firstIndex(of: UInt8(ascii: " ")),
        let nul = rest[space...].firstIndex(of: 0), rest.endIndex - nul > ObjectID.length
      else { throw GitError(.badObjects, "tree \(tree) is torn") }
      let end = nul + 1 + ObjectID.length
      let entry = TreeEntry(
        name: rest[(space + 1)..<nul], mode: mode(rest[..<space]), id: ObjectID(rest[(nul + 1)..<end]))
      try body(entry, previous)
      previous = entry
      rest = rest[end...]
    }
  }

  private static func mode(_ digits: ArraySlice<UInt8>) -> Mode? {
    guard !digits.isEmpty, digits.allSatisfy({ (48...55).contains($0) }) else { return nil }
    return Mode(rawValue: digits.reduce(0) { $0 << 3 | UInt32($1 - 48) })
  }
}

/// The ids in the heads of commits and tags.
enum ObjectLinks {
  struct Commit: Equatable {
    var tree: ObjectID
    var parents: [ObjectID]
  }

  /// `nil` when the head is not `tree`, `parent`…, `author`, `committer`.
  static func commit(_ data: [UInt8]) -> Commit? {
    var lines = HeadLines(data)
    guard let tree = lines.id(after: "tree ") else { return nil }
    var parents: [ObjectID] = []
    while let parent = lines.id(after: "parent ") { parents.append(parent) }
    guard lines.skip("author "), lines.skip("committer ") else { return nil }
    return Commit(tree: tree, parents: parents)
  }

  /// `nil` when the head is not `object`, `type`, `tag`.
  static func tag(_ data: [UInt8]) -> (target: ObjectID, kind: ObjectKind)? {
    var lines = HeadLines(data)
    guard let target = lines.id(after: "object "), let line = lines.next(after: "type "),
      let kind = ObjectKind(name: line), lines.skip("tag ")
    else { return nil }
    return (target, kind)
  }

  private struct HeadLines {
    var rest: ArraySlice<UInt8>

    init(_ data: [UInt8]) { rest = data[...] }

    mutating func next(after key: String) -> ArraySlice<UInt8>? {
      guard rest.starts(with: key.utf8), let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
      defer { rest = rest[(end + 1)...] }
      return rest[(rest.startIndex + key.utf8.count)..<end]
    }

    mutating func id(after key: String) -> ObjectID? { next(after: key).flatMap { ObjectID($0) } }

    mutating func skip(_ key: String) -> Bool { next(after: key) != nil }
  }
}

/// Bytes of a path as they may be shown.
func shown(_ bytes: some Sequence<UInt8>) -> String {
  String(
    String(decoding: Array(bytes), as: UTF8.self).unicodeScalars.prefix(120).map {
      $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : Character($0)
    })
}
