/// Blobs whose contents git acts on by itself: those named `.gitmodules` or `.gitattributes` in some tree.
struct FsckSpecialBlobs: Sendable {
  private(set) var modules: Set<ObjectID> = []
  private(set) var attributes: Set<ObjectID> = []

  var isEmpty: Bool { modules.isEmpty && attributes.isEmpty }

  /// Most different files of either name in one push.
  static let limit = 100_000
  /// As git has them (gitattributes(5)): lines of this length are too long, files of more bytes too large.
  private static let longLine = 2048
  private static let largestAttributes = 100 << 20

  mutating func addModules(_ id: ObjectID) throws(GitError) { try Self.add(id, to: &modules, ".gitmodules") }

  mutating func addAttributes(_ id: ObjectID) throws(GitError) { try Self.add(id, to: &attributes, ".gitattributes") }

  mutating func merge(_ other: FsckSpecialBlobs) {
    modules.formUnion(other.modules)
    attributes.formUnion(other.attributes)
  }

  /// Reads and checks them all. Throws ``GitError`` of kind `badObjects`, and what `read` throws.
  func check(read: (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?) throws {
    for id in modules.sorted() {
      // A missing one is left to connectivity, which a submodule of that name does not touch.
      guard let data = try contents(of: id, read: read, named: ".gitmodules", messages: "gitmodules") else { continue }
      if let (what, message) = data.withUnsafeBytes({ FsckModules.fault($0) }) {
        throw ObjectCheck.fault(.blob, id, what, message)
      }
    }
    for id in attributes.sorted() {
      guard let data = try contents(of: id, read: read, named: ".gitattributes", messages: "gitattributes") else {
        throw ObjectCheck.fault(.blob, id, "is named .gitattributes by a tree and is missing", "gitattributesMissing")
      }
      guard data.count <= Self.largestAttributes else {
        throw ObjectCheck.fault(.blob, id, "is a .gitattributes of more than 100 MiB", "gitattributesLarge")
      }
      guard !Self.hasLongLine(data) else {
        throw ObjectCheck.fault(
          .blob, id, "is a .gitattributes with a line of \(Self.longLine) bytes or more", "gitattributesLineLength")
      }
    }
  }

  private func contents(
    of id: ObjectID, read: (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?, named name: String, messages: String
  ) throws -> [UInt8]? {
    guard let object = try read(id) else { return nil }
    guard object.kind == .blob else {
      throw ObjectCheck.fault(object.kind, id, "is named \(name) by a tree and is no blob", "\(messages)Blob")
    }
    return object.data
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
