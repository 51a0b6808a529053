extension ObjectCheck {
  func checkTree(
    _ data: UnsafeRawBufferPointer, id: ObjectID, like base: UnsafeRawBufferPointer?
  ) throws(GitError) {
    let bytes = Array(data)
    if rules == .strict { try Self.check(tree: bytes, id: id) }
    try TreeEntry.each(of: bytes, tree: id) { entry, _ throws(GitError) in
      guard entry.mode != .submodule else { return }
      try link(entry.id, entry.mode == .directory ? .tree : .blob)
    }
  }

  func checkCommit(_ data: UnsafeRawBufferPointer, id: ObjectID) throws(GitError) {
    guard let commit = ObjectLinks.commit(Array(data)) else { throw Self.bad("commit \(id)", "has no readable head") }
    try link(commit.tree, .tree)
    for parent in commit.parents { try link(parent, .commit) }
  }

  func checkTag(_ data: UnsafeRawBufferPointer, id: ObjectID) throws(GitError) {
    guard let tag = ObjectLinks.tag(Array(data)) else { throw Self.bad("tag \(id)", "has no readable head") }
    try link(tag.target, tag.kind)
  }

  private func link(_ id: ObjectID, _ kind: ObjectKind) throws(GitError) {
    try withUnsafeBytes(of: id.oid) { bytes throws(GitError) in
      if let pointer = bytes.baseAddress { try links.insert(pointer, kind) }
    }
  }

  private static func bad(_ object: String, _ reason: String) -> GitError {
    GitError(.badObjects, "\(object) \(reason)", next: "run `git fsck` in the clone, repair it, then push again")
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
}
