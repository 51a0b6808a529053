/// One line of a tree object, as git's checkout understands it.
struct TreeEntry: Equatable {
  /// What git makes of a mode: nothing else reaches a file system.
  enum Mode: Sendable {
    case directory
    case file
    case executable
    case symlink
    /// Also every mode that git does not know.
    case submodule
  }

  /// Bytes, in no known encoding.
  var name: ArraySlice<UInt8>
  var mode: Mode
  var id: ObjectID

  /// Reads a tree object: calls `body` with each entry and the one before. Throws ``GitError`` for a torn tree.
  static func each(
    of data: [UInt8], tree: ObjectID, _ body: (TreeEntry, TreeEntry?) throws(GitError) -> Void
  ) throws(GitError) {
    var position = 0
    var previous: TreeEntry?
    while position < data.count {
      guard let (entry, end) = entry(at: position, of: data) else {
        throw GitError(.badObjects, "tree \(tree) is torn")
      }
      try body(entry, previous)
      previous = entry
      position = end
    }
  }

  private static func entry(at position: Int, of data: [UInt8]) -> (TreeEntry, end: Int)? {
    data.withUnsafeBytes { bytes -> (TreeEntry, end: Int)? in
      guard let start = bytes.baseAddress,
        let raw = RawTreeEntry(at: start + position, end: start + bytes.count)
      else { return nil }
      let name = raw.name - start
      let id = ObjectID(UnsafeRawBufferPointer(start: raw.id, count: ObjectID.length))
      let entry = TreeEntry(name: data[name..<(name + raw.nameLength)], mode: mode(raw.mode), id: id)
      return (entry, raw.end - start)
    }
  }

  private static func mode(_ bits: UInt32) -> Mode {
    switch bits & 0o170000 {
    case 0o040000: .directory
    case 0o100000: bits & 0o100 == 0 ? .file : .executable
    case 0o120000: .symlink
    default: .submodule
    }
  }
}

/// Bytes of a path as they may be shown.
func shown(_ bytes: some Sequence<UInt8>) -> String {
  String(
    String(decoding: Array(bytes.prefix(1024)), as: UTF8.self).unicodeScalars.prefix(120).map {
      $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : Character($0)
    })
}
