import CGit2

/// The first pass over a pack: every object's place, and the ids of those that are stored whole.
struct PackScan {
  private(set) var entries: [PackEntry] = []
  /// The first delta whose base is this entry, by offset; -1: none.
  private(set) var firstChild: [Int32] = []
  /// The next delta with the same base; -1: none.
  private(set) var nextSibling: [Int32] = []
  /// The first delta whose base has this id.
  var firstReference: [ObjectID: Int32] = [:]
  private(set) var budget: InflateBudget
  /// Where the last object ends.
  private(set) var endOffset: UInt64 = 0
  private(set) var trailer: [UInt8] = []

  private let limits: PackLimits

  static let none: Int32 = -1

  init(limits: PackLimits) {
    self.limits = limits
    budget = InflateBudget(limits)
  }

  /// Reads the whole pack. Throws ``GitError``; how much of the client's bytes was used is then unknown.
  mutating func read(_ pack: PackReceiver, check: ObjectCheck) throws {
    let count = try header(pack)
    for _ in 0..<count { try entry(pack, check: check) }
    endOffset = pack.offset
    trailer = try pack.finish()
  }

  private func header(_ pack: PackReceiver) throws -> Int {
    let head = try pack.bytes(12)
    guard head.starts(with: "PACK".utf8) else { throw GitError(.badObjects, "what the client sent is no pack") }
    let version = head[4..<8].reduce(0) { $0 << 8 | Int($1) }
    guard version == 2 || version == 3 else {
      throw GitError(.badObjects, "the pack has the unknown version \(version)")
    }
    let count = head[8..<12].reduce(0) { $0 << 8 | Int($1) }
    guard count <= limits.objects else {
      throw GitError(
        .limit, "the pack announces \(count) objects, the limit is \(limits.objects)",
        next: "push the history in smaller steps")
    }
    return count
  }

  private mutating func entry(_ pack: PackReceiver, check: ObjectCheck) throws {
    let offset = pack.offset
    pack.startChecksum()
    let (type, size) = try typeAndSize(pack)
    try budget.spend(size)
    var new = PackEntry(
      offset: offset, id: ObjectID([]), size: UInt32(size), checksum: 0, kind: nil, headerLength: 0, depth: 0)
    let index = Int32(entries.count)
    var sibling = Self.none
    switch type {
    case .whole: break
    case .offsetDelta:
      let base = try baseIndex(pack, offset: offset)
      sibling = firstChild[base]
      firstChild[base] = index
    case .referenceDelta:
      let base = ObjectID(try pack.bytes(ObjectID.length))
      sibling = firstReference.updateValue(index, forKey: base) ?? Self.none
    }
    new.headerLength = UInt8(pack.offset - offset)
    let data = try pack.inflate(size: Int(size))
    new.checksum = pack.checksum
    if case .whole(let kind) = type {
      new.kind = kind
      new.id = try data.withUnsafeBytes { try hash($0, kind: kind) }
      try data.withUnsafeBytes { try check.check(kind, $0, id: new.id) }
    }
    entries.append(new)
    firstChild.append(Self.none)
    nextSibling.append(sibling)
  }

  private func typeAndSize(_ pack: PackReceiver) throws -> (PackEntryType, UInt64) {
    var byte = try pack.byte()
    let number = byte >> 4 & 7
    guard let type = PackEntryType(number) else {
      throw GitError(.badObjects, "the pack holds an object of the unknown type \(number)")
    }
    var size = UInt64(byte & 0x0F)
    var shift: UInt64 = 4
    while byte & 0x80 != 0 {
      byte = try pack.byte()
      guard shift < 60 else { throw GitError(.badObjects, "the pack holds an object without a readable size") }
      size |= UInt64(byte & 0x7F) << shift
      shift += 7
    }
    return (type, size)
  }

  /// The entry that an OFS delta names by its distance. Bases stand before their deltas, so there are no circles.
  private func baseIndex(_ pack: PackReceiver, offset: UInt64) throws -> Int {
    var byte = try pack.byte()
    var distance = UInt64(byte & 0x7F)
    while byte & 0x80 != 0 {
      byte = try pack.byte()
      guard distance < 1 << 50 else { throw GitError(.badObjects, "a delta in the pack has no readable base offset") }
      distance = (distance + 1) << 7 | UInt64(byte & 0x7F)
    }
    guard distance > 0, distance <= offset, let index = index(ofOffset: offset - distance) else {
      throw GitError(.badObjects, "a delta in the pack has a base where no object is")
    }
    return index
  }

  private func index(ofOffset offset: UInt64) -> Int? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    return low < entries.count && entries[low].offset == offset ? low : nil
  }

  /// Says what a delta turned out to be.
  mutating func resolved(_ index: Int32, id: ObjectID, kind: ObjectKind, depth: UInt16) {
    entries[Int(index)].id = id
    entries[Int(index)].kind = kind
    entries[Int(index)].depth = depth
  }

  mutating func spend(_ size: UInt64) throws { try budget.spend(size) }

  /// Where an entry's stored bytes end.
  func end(of index: Int32) -> UInt64 {
    let next = Int(index) + 1
    return next < entries.count ? entries[next].offset : endOffset
  }
}

/// The id of an object, by libgit2's SHA-1, which detects collision attacks. Throws ``GitError``.
func hash(_ data: UnsafeRawBufferPointer, kind: ObjectKind) throws(GitError) -> ObjectID {
  var oid = git_oid()
  try git("hash a \(kind.name)") {
    git_odb_hash(&oid, data.baseAddress, data.count, git_object_t(Int32(kind.rawValue)))
  }
  return ObjectID(oid)
}
