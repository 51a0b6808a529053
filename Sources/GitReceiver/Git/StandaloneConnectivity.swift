/// An object that a push needs and did not bring.
struct MissingObject: Error {
  let id: ObjectID
  /// `nil`: the ref itself names it.
  let kind: ObjectKind?

  var message: String { kind.map { "missing \($0.name) object '\(id)'" } ?? "bad object \(id)" }
}

/// Whether everything that new refs reach is there, in a repository that others write to as well: what merely lies in
/// its store proves nothing, because git prunes old garbage piece by piece. So the walk goes from the new tips until it
/// meets history that the repository's refs reach; what is new is compared with its parents, tree by tree.
struct StandaloneConnectivity {
  /// With the quarantine.
  let repository: Repository
  let pushed: PackContents
  /// Where the client's history is cut off.
  let clientShallow: Set<ObjectID>
  private var old: OldHistory
  private var verified: Set<ObjectID> = []

  /// `tips`: what the repository's refs, and those of repositories it borrows from, name.
  init(
    repository: Repository, pushed: PackContents, tips: [ObjectID], shallow: Set<ObjectID>, clientShallow: [ObjectID]
  ) {
    self.repository = repository
    self.pushed = pushed
    self.clientShallow = Set(clientShallow).subtracting(shallow)
    old = OldHistory(repository: repository, tips: tips, shallow: shallow)
  }

  /// Returns the commits at which the history that `tip` brings is cut off, which the repository does not know as cut
  /// off yet. Throws ``MissingObject``, or ``GitError`` for objects that cannot be read.
  mutating func check(_ tip: ObjectID) throws -> Set<ObjectID> {
    if old.tips.contains(tip) { return [] }
    let before = verified
    do {
      return try walk(from: tip)
    } catch {
      // What was seen on the way to the hole is not known to be complete.
      verified = before
      throw error
    }
  }

  private mutating func walk(from tip: ObjectID) throws -> Set<ObjectID> {
    var id = tip
    for _ in 0..<1000 {
      guard let kind = try kind(of: id) else { throw MissingObject(id: id, kind: nil) }
      switch kind {
      case .commit: return try check(commit: id)
      case .tree:
        try check(tree: id, against: [])
        return []
      case .blob: return []
      case .tag:
        guard let tag = ObjectLinks.tag(try repository.contents(of: id, .tag)) else {
          throw GitError(.badObjects, "tag \(id) has no readable head")
        }
        guard let target = try self.kind(of: tag.target), target == tag.kind else {
          throw MissingObject(id: tag.target, kind: tag.kind)
        }
        id = tag.target
      }
    }
    throw GitError(.limit, "tag \(tip) leads to more than 1000 others")
  }

  private func kind(of id: ObjectID) throws(GitError) -> ObjectKind? {
    if let kind = pushed.kind(of: id) { return kind }
    return try repository.header(of: id)?.kind
  }

  private mutating func check(commit tip: ObjectID) throws -> Set<ObjectID> {
    var cut: Set<ObjectID> = []
    var waiting = [tip]
    // Cut-off commits are looked at for each tip, because each must name them.
    var seen: Set<ObjectID> = []
    while let id = waiting.popLast() {
      guard seen.insert(id).inserted, try pushed.kind(of: id) != nil || !old.reaches(id) else { continue }
      guard let commit = ObjectLinks.commit(try repository.contents(of: id, .commit)) else {
        throw GitError(.badObjects, "commit \(id) has no readable head")
      }
      var parents: [ObjectID] = []
      if !old.shallow.contains(id) {
        for parent in commit.parents {
          switch try kind(of: parent) {
          case .commit: parents.append(parent)
          case nil where clientShallow.contains(id): cut.insert(id)
          default: throw MissingObject(id: parent, kind: .commit)
          }
        }
      }
      if verified.insert(id).inserted {
        try check(tree: commit.tree, against: try parents.compactMap { try tree(of: $0) })
      }
      waiting += parents
    }
    return cut
  }

  private func tree(of commit: ObjectID) throws -> ObjectID? {
    ObjectLinks.commit(try repository.contents(of: commit, .commit))?.tree
  }

  private struct Subtree {
    var id: ObjectID
    /// The trees at the same place in the parents: complete, because the parents are or are being checked.
    var known: [ObjectID]
  }

  private mutating func check(tree: ObjectID, against parents: [ObjectID]) throws {
    var waiting = [Subtree(id: tree, known: parents)]
    while let next = waiting.popLast() {
      guard !next.known.contains(next.id), verified.insert(next.id).inserted else { continue }
      guard try kind(of: next.id) == .tree else { throw MissingObject(id: next.id, kind: .tree) }
      let known = try next.known.map { try entries($0) }
      var blobs: [ObjectID] = []
      try TreeEntry.each(of: try repository.contents(of: next.id, .tree), tree: next.id) { entry, _ throws(GitError) in
        guard entry.mode != .submodule else { return }
        let places = known.compactMap { $0[Array(entry.name)] }
        guard !places.contains(entry.id) else { return }
        if entry.mode == .directory {
          waiting.append(Subtree(id: entry.id, known: places))
        } else {
          blobs.append(entry.id)
        }
      }
      for blob in blobs where verified.insert(blob).inserted {
        guard try kind(of: blob) == .blob else { throw MissingObject(id: blob, kind: .blob) }
      }
    }
  }

  /// Places in a parent's tree; nothing where it cannot be read, for it is not what is being checked.
  private func entries(_ tree: ObjectID) throws -> [[UInt8]: ObjectID] {
    guard try kind(of: tree) == .tree else { return [:] }
    var places: [[UInt8]: ObjectID] = [:]
    try TreeEntry.each(of: try repository.contents(of: tree, .tree), tree: tree) { entry, _ throws(GitError) in
      places[Array(entry.name)] = entry.id
    }
    return places
  }
}

/// What the repository's refs reach, found as far as it is asked for: commits in the order of their dates, youngest
/// first, so that a question about recent history stays cheap.
private struct OldHistory {
  let repository: Repository
  let tips: Set<ObjectID>
  let shallow: Set<ObjectID>
  private var reached: Set<ObjectID> = []
  private var queue = DateQueue()
  private var hasStarted = false

  init(repository: Repository, tips: [ObjectID], shallow: Set<ObjectID>) {
    self.repository = repository
    self.tips = Set(tips)
    self.shallow = shallow
  }

  mutating func reaches(_ id: ObjectID) throws -> Bool {
    if tips.contains(id) || reached.contains(id) { return true }
    if !hasStarted {
      hasStarted = true
      for tip in tips { try add(tip) }
    }
    while !reached.contains(id), let next = queue.pop() {
      guard !shallow.contains(next) else { continue }
      guard let commit = ObjectLinks.commit(try repository.contents(of: next, .commit)) else { continue }
      for parent in commit.parents { try add(parent) }
    }
    return reached.contains(id)
  }

  /// Tags lead to what they name; trees and blobs lead nowhere, and what is missing does not either.
  private mutating func add(_ tip: ObjectID) throws {
    var id = tip
    while reached.insert(id).inserted {
      guard let header = try repository.header(of: id) else {
        reached.remove(id)
        return
      }
      switch header.kind {
      case .commit: return queue.push(id, date: CommitText(try repository.contents(of: id, .commit)).time)
      case .tag:
        guard let tag = ObjectLinks.tag(try repository.contents(of: id, .tag)) else { return }
        id = tag.target
      case .tree, .blob: return
      }
    }
  }
}

/// A heap: the youngest comes out first.
private struct DateQueue {
  private var items: [(date: Int64, id: ObjectID)] = []

  mutating func push(_ id: ObjectID, date: Int64) {
    items.append((date, id))
    var index = items.count - 1
    while index > 0, items[(index - 1) / 2].date < items[index].date {
      items.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func pop() -> ObjectID? {
    guard let first = items.first, let last = items.popLast() else { return nil }
    guard !items.isEmpty else { return first.id }
    items[0] = last
    var index = 0
    while true {
      let children = [2 * index + 1, 2 * index + 2].filter { $0 < items.count }
      guard let child = children.max(by: { items[$0].date < items[$1].date }), items[child].date > items[index].date
      else { return first.id }
      items.swapAt(index, child)
      index = child
    }
  }
}
