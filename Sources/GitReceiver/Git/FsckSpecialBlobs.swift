/// Blobs whose contents git acts on by itself: those named `.gitmodules` or `.gitattributes` in some tree.
struct FsckSpecialBlobs: Sendable {
  private(set) var modules: Set<ObjectID> = []
  private(set) var attributes: Set<ObjectID> = []

  var isEmpty: Bool { modules.isEmpty && attributes.isEmpty }

  /// Most different files of either name in one push.
  static let limit = 100_000
  /// As git has it (gitattributes(5)): lines of this length are too long.
  private static let longLine = 2048
  /// Most bytes of either file. git has it for attributes; modules it refuses when it cannot hold them in memory.
  static let largest = 100 << 20

  /// An object's kind and size; `nil` when it is nowhere.
  typealias Header = (ObjectID) throws -> (kind: ObjectKind, size: Int)?
  /// An object; `nil` when it is nowhere.
  typealias Read = (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?

  mutating func addModules(_ id: ObjectID) throws(GitError) { try Self.add(id, to: &modules, ".gitmodules") }

  mutating func addAttributes(_ id: ObjectID) throws(GitError) { try Self.add(id, to: &attributes, ".gitattributes") }

  mutating func merge(_ other: FsckSpecialBlobs) {
    modules.formUnion(other.modules)
    attributes.formUnion(other.attributes)
  }

  /// Reads and checks them all. What `header` says is too large is refused unread; without it, it is read first.
  /// Throws ``GitError`` of kind `badObjects`, and what `header` and `read` throw.
  func check(header: Header? = nil, read: Read) throws {
    for id in modules.sorted() {
      // A missing one is left to connectivity, which a submodule of that name does not touch.
      guard let data = try contents(of: id, "gitmodules", header, read) else { continue }
      if let (what, message) = data.withUnsafeBytes({ FsckModules.fault($0) }) {
        throw ObjectCheck.fault(.blob, id, what, message)
      }
    }
    for id in attributes.sorted() {
      guard let data = try contents(of: id, "gitattributes", header, read) else {
        throw ObjectCheck.fault(.blob, id, "is named .gitattributes by a tree and is missing", "gitattributesMissing")
      }
      guard !Self.hasLongLine(data) else {
        throw ObjectCheck.fault(
          .blob, id, "is a .gitattributes with a line of \(Self.longLine) bytes or more", "gitattributesLineLength")
      }
    }
  }

  /// `name`: that of the file without the dot, with which git's messages begin.
  private func contents(of id: ObjectID, _ name: String, _ header: Header?, _ read: Read) throws -> [UInt8]? {
    if let header {
      guard let (kind, size) = try header(id) else { return nil }
      try Self.judge(id, name, kind, size)
    }
    guard let object = try read(id) else { return nil }
    try Self.judge(id, name, object.kind, object.data.count)
    return object.data
  }

  private static func judge(_ id: ObjectID, _ name: String, _ kind: ObjectKind, _ size: Int) throws(GitError) {
    guard kind == .blob else {
      throw ObjectCheck.fault(kind, id, "is named .\(name) by a tree and is no blob", "\(name)Blob")
    }
    guard size <= largest else {
      throw ObjectCheck.fault(.blob, id, "is a .\(name) of more than \(largest >> 20) MiB", "\(name)Large")
    }
  }

  /// Up to the first NUL, as git reads it.
  static func hasLongLine(_ data: [UInt8]) -> Bool {
    var length = 0
    for byte in data {
      if byte == 0 { return false }
      length = byte == UInt8(ascii: "\n") ? 0 : length + 1
      if length >= longLine { return true }
    }
    return false
  }

  private static func add(_ id: ObjectID, to ids: inout Set<ObjectID>, _ name: String) throws(GitError) {
    ids.insert(id)
    guard ids.count <= limit else {
      throw GitError(
        .limit, "the push has more than \(limit) different \(name) files", next: "push the history in smaller steps")
    }
  }
}
