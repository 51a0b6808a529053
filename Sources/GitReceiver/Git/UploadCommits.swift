import Glibc

/// The commits of a repository as a graph, read as far as somebody walks. Nodes count from 0.
final class CommitGraph {
  typealias Node = Int

  let store: PackStore
  private(set) var numbers: [ObjectNumber] = []
  /// Seconds since 1970, as the committer has it.
  private(set) var dates: [Int64] = []
  private var trees: [ObjectID] = []
  private var firstParent: [Int] = []
  private var parentIDs: [ObjectID] = []
  /// Per parent: its node, ``unread`` or ``missing``.
  private var parentNodes: [Node] = []
  private var nodes: NumberMap<Int32>
  /// Commits whose parents nobody shall see: the edge of a shallow repository, here or at the client.
  private var cut: Set<Node> = []

  static let missing = -1
  private static let unread = -2

  init(_ store: PackStore) {
    self.store = store
    nodes = NumberMap(-1, for: store)
  }

  var count: Int { numbers.count }

  /// The node of a commit. Throws ``GitError`` when it cannot be read or is something else.
  func node(_ number: ObjectNumber) throws -> Node {
    let known = nodes[number]
    if known >= 0 { return Int(known) }
    let node = numbers.count
    try store.read(number) { kind, bytes in
      guard kind == .commit, let head = CommitHead(bytes) else {
        throw GitError(.badObjects, "\(store.id(of: number)) is no readable commit")
      }
      trees.append(head.tree)
      dates.append(head.date)
      firstParent.append(parentIDs.count)
      var rest = head.parents
      while rest.count >= CommitHead.parentLength {
        guard let id = CommitHead.id(rest, at: 7) else { break }
        parentIDs.append(id)
        parentNodes.append(Self.unread)
        rest = UnsafeRawBufferPointer(rebasing: rest[CommitHead.parentLength...])
      }
    }
    numbers.append(number)
    nodes[number] = Int32(node)
    return node
  }

  /// The node of a commit, of the commit an annotated tag leads to, or `nil` for anything else.
  func node(peeling number: ObjectNumber) throws -> Node? {
    let target = try store.peel(number)
    return try store.kind(of: target) == .commit ? try node(target) : nil
  }

  /// The tree of a commit; `nil` when it is not there.
  func tree(of node: Node) throws -> ObjectNumber? { try store.number(of: trees[node]) }
  func treeID(of node: Node) -> ObjectID { trees[node] }
  func id(of node: Node) -> ObjectID { store.id(of: numbers[node]) }

  /// Hides the parents of a commit.
  func cut(_ node: Node) { cut.insert(node) }
  func isCut(_ node: Node) -> Bool { cut.contains(node) }

  /// Calls `body` with each parent, or with ``missing``.
  @inline(__always)
  func parents(of node: Node, _ body: (Node) throws -> Void) throws {
    if !cut.isEmpty, cut.contains(node) { return }
    try realParents(of: node, body)
  }

  /// As ``parents(of:_:)``, whatever was cut.
  func realParents(of node: Node, _ body: (Node) throws -> Void) throws {
    let end = node + 1 < firstParent.count ? firstParent[node + 1] : parentIDs.count
    for index in firstParent[node]..<end {
      if parentNodes[index] == Self.unread {
        parentNodes[index] = try store.number(of: parentIDs[index]).map { try self.node($0) } ?? Self.missing
      }
      try body(parentNodes[index])
    }
  }

  /// Who is missing when ``parents(of:_:)`` says so.
  func missingParent(of node: Node) -> GitError {
    let end = node + 1 < firstParent.count ? firstParent[node + 1] : parentIDs.count
    let index = (firstParent[node]..<end).first { parentNodes[$0] == Self.missing }
    let name = index.map { "\(parentIDs[$0])" } ?? "a parent"
    return GitError(.badObjects, "commit \(name), a parent of \(id(of: node)), is missing")
  }
}

/// The lines of a commit that walks need.
struct CommitHead {
  let tree: ObjectID
  /// Lines of ``parentLength`` bytes each.
  let parents: UnsafeRawBufferPointer
  let date: Int64

  /// `parent `, 40 digits, and the end of the line.
  static let parentLength = 48
  private static let treeLength = 46

  /// `nil` when the head is not that of a commit.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard Self.starts(bytes, at: 0, "tree "), let tree = Self.id(bytes, at: 5) else { return nil }
    self.tree = tree
    var at = Self.treeLength
    // As in ``ObjectLinks``: what comes too late to be a parent with something behind it is none.
    while bytes.count - at > Self.parentLength, Self.starts(bytes, at: at, "parent ") {
      guard Self.id(bytes, at: at + 7) != nil else { return nil }
      at += Self.parentLength
    }
    parents = UnsafeRawBufferPointer(rebasing: bytes[min(Self.treeLength, at)..<at])
    date = Self.date(UnsafeRawBufferPointer(rebasing: bytes[at...]))
  }

  @inline(__always)
  private static func starts(_ bytes: UnsafeRawBufferPointer, at: Int, _ key: StaticString) -> Bool {
    guard at <= bytes.count - key.utf8CodeUnitCount, let start = bytes.baseAddress else { return false }
    return memcmp(start + at, key.utf8Start, key.utf8CodeUnitCount) == 0
  }

  /// The id in hexadecimal, of either case as git reads it, at an offset, with the end of the line after it.
  static func id(_ bytes: UnsafeRawBufferPointer, at: Int) -> ObjectID? {
    guard at >= 0, bytes.count - at > 40, bytes[at + 40] == UInt8(ascii: "\n") else { return nil }
    var raw: (UInt64, UInt64, UInt32) = (0, 0, 0)
    let valid = withUnsafeMutableBytes(of: &raw) { raw in
      for index in 0..<ObjectID.length {
        guard let high = digit(bytes[at + 2 * index]), let low = digit(bytes[at + 2 * index + 1]) else { return false }
        raw[index] = high << 4 | low
      }
      return true
    }
    return valid ? withUnsafeBytes(of: raw) { raw in raw.baseAddress.map { ObjectID(raw: $0) } } : nil
  }

  @inline(__always)
  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte &- 48
    case 97...102: byte &- 87
    case 65...70: byte &- 55
    default: nil
    }
  }

  /// The seconds after the committer's mail address; 0 when they cannot be read, as in git.
  private static func date(_ bytes: UnsafeRawBufferPointer) -> Int64 {
    guard let first = bytes.firstIndex(of: UInt8(ascii: "\n")), starts(bytes, at: first + 1, "committer ") else {
      return 0
    }
    let line = bytes[(first + 1)...].prefix { $0 != UInt8(ascii: "\n") }
    guard let mail = line.lastIndex(of: UInt8(ascii: ">")) else { return 0 }
    var value: Int64 = 0
    for byte in line[(mail + 1)...].drop(while: { $0 == UInt8(ascii: " ") }) {
      guard (48...57).contains(byte), value < Int64.max / 100 else { break }
      value = value * 10 + Int64(byte - 48)
    }
    return value
  }
}

extension PackStore {
  /// What an annotated tag leads to in the end; anything else is its own. Throws ``GitError`` for a broken tag.
  func peel(_ number: ObjectNumber) throws -> ObjectNumber {
    var at = number
    for _ in 0..<1000 {
      guard try kind(of: at) == .tag else { return at }
      at = try tagTarget(at)
    }
    throw GitError(.badObjects, "tag \(id(of: number)) leads through more than 1000 tags")
  }

  /// What one tag names.
  func tagTarget(_ number: ObjectNumber) throws -> ObjectNumber {
    let target = try read(number) { _, bytes in ObjectLinks.tag(Array(bytes))?.target }
    guard let target else { throw GitError(.badObjects, "tag \(id(of: number)) cannot be read") }
    guard let found = try self.number(of: target) else {
      throw GitError(.badObjects, "tag \(id(of: number)) names \(target), which is missing")
    }
    return found
  }
}
