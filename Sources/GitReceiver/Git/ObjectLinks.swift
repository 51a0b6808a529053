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
