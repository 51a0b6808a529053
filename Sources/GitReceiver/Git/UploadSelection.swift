/// What a client does not want to have (gitprotocol-v2(5), "filter"; git-rev-list(1), "--filter").
enum UploadFilter: Equatable {
  case none
  case noBlobs
  /// Blobs of this size in bytes, and above, stay here.
  case blobLimit(Int)
  case noTrees

  /// `nil` for what we do not serve.
  init?(_ text: some StringProtocol) {
    switch text {
    case "blob:none": self = .noBlobs
    case "tree:0": self = .noTrees
    default:
      guard text.hasPrefix("blob:limit=") else { return nil }
      var digits = text.dropFirst(11)
      let shift = ["k": 10, "m": 20, "g": 30][digits.last?.lowercased() ?? ""] ?? 0
      if shift > 0 { digits = digits.dropLast() }
      guard let number = Int(digits), number >= 0, number <= Int.max >> shift else { return nil }
      self = .blobLimit(number << shift)
    }
  }
}

/// The objects that go into one pack: marks on the objects of a store, nothing else is kept.
final class ObjectSelection {
  let store: PackStore
  private let filter: UploadFilter
  private var marks: NumberMap<UInt8>
  private var waiting: [ObjectNumber] = []
  private(set) var count = 0
  private let tick: (_ found: Int) throws -> Void

  private static let selected: UInt8 = 1
  private static let had: UInt8 = 2

  /// `tick` is called often, with the number of objects found so far.
  init(_ store: PackStore, filter: UploadFilter = .none, tick: @escaping (_ found: Int) throws -> Void = { _ in }) {
    self.store = store
    self.filter = filter
    self.tick = tick
    marks = NumberMap(0, for: store)
  }

  @inline(__always)
  func contains(_ number: ObjectNumber) -> Bool { marks[number] & Self.selected != 0 }

  /// The client has it, as far as we know.
  @inline(__always)
  func isHad(_ number: ObjectNumber) -> Bool { marks[number] & Self.had != 0 }

  var looseNumbers: [ObjectNumber] { marks.looseNumbers.filter { contains($0) } }

  /// Takes one object, and nothing it names. Returns whether it is new.
  @discardableResult
  func insert(_ number: ObjectNumber) -> Bool {
    guard marks[number] == 0 else { return false }
    marks[number] = Self.selected
    count += 1
    return true
  }

  func markHad(_ number: ObjectNumber) { marks[number] |= Self.had }

  /// Takes a tree and all below it that is not taken yet and that the client does not have.
  func insertTree(_ root: ObjectNumber) throws {
    if filter == .noTrees { return }
    if insert(root) { waiting.append(root) }
    while let tree = waiting.popLast() {
      try tick(count)
      try entries(of: tree) { kind, id in
        guard let number = try store.number(of: id) else { throw missing(id, kind, in: tree) }
        guard marks[number] == 0 else { return }
        if kind == .tree {
          insert(number)
          waiting.append(number)
        } else if filter == .none {
          insert(number)
        } else {
          filtered.append(number)
        }
      }
      try takeFiltered()
    }
  }

  /// Blobs of the current tree that the filter has to look at: not while the tree is being read.
  private var filtered: [ObjectNumber] = []

  private func takeFiltered() throws {
    defer { filtered.removeAll(keepingCapacity: true) }
    guard case .blobLimit(let limit) = filter else { return }
    for blob in filtered where marks[blob] == 0 {
      if try store.header(of: blob).size < limit { insert(blob) }
    }
  }

  /// Notes that the client has a tree and all below it. What is missing here, it cannot need from us.
  func markTreeHad(_ root: ObjectNumber) throws {
    guard !isHad(root) else { return }
    markHad(root)
    waiting.append(root)
    while let tree = waiting.popLast() {
      try tick(count)
      try entries(of: tree) { kind, id in
        guard let number = try store.number(of: id), !isHad(number) else { return }
        markHad(number)
        if kind == .tree { waiting.append(number) }
      }
    }
  }

  private func missing(_ id: ObjectID, _ kind: ObjectKind, in tree: ObjectNumber) -> GitError {
    GitError(.badObjects, "the \(kind.name) \(id), named by tree \(store.id(of: tree)), is missing")
  }

  /// Calls `body` with every tree and blob that a tree names; submodules' commits live elsewhere.
  private func entries(of tree: ObjectNumber, _ body: (ObjectKind, ObjectID) throws -> Void) throws {
    try store.read(tree) { kind, bytes in
      guard kind == .tree, var at = bytes.baseAddress else {
        guard kind == .tree else { throw GitError(.badObjects, "\(store.id(of: tree)) is a \(kind.name), not a tree") }
        return
      }
      let end = at + bytes.count
      while at < end {
        guard let entry = RawTreeEntry(at: at, end: end) else {
          throw GitError(.badObjects, "tree \(store.id(of: tree)) is torn")
        }
        if let kind = entry.kind { try body(kind, ObjectID(raw: entry.id)) }
        at = entry.end
      }
    }
  }
}
