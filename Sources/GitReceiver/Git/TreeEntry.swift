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
  var sortKey: [UInt8] { mode == .directory ? name + [UInt8(ascii: "/")] : Array(name) }

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

/// Bytes of a path as they may be shown.
func shown(_ bytes: some Sequence<UInt8>) -> String {
  String(
    String(decoding: Array(bytes), as: UTF8.self).unicodeScalars.prefix(120).map {
      $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : Character($0)
    })
}
