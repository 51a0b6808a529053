/// The first pass over a pack, while it arrives: every object's place, and which object each delta is made from.
struct PackScan {
  let table: PackTable
  /// Deltas that name their base by its id: `(base, delta)`.
  private(set) var references: [(base: ObjectID, delta: Int32)] = []
  /// Where the last object ends.
  private(set) var endOffset: UInt64 = 0
  private(set) var trailer: [UInt8] = []
  /// Bytes inflated so far.
  private var inflated: UInt64 = 0
  /// Bytes of all objects, as far as the heads of deltas that are not large have told.
  private(set) var made: UInt64 = 0

  private let limits: PackLimits

  /// Reads the whole pack. Throws ``GitError``; how much of the client's bytes was used is then unknown.
  init(_ pack: PackReceiver, limits: PackLimits) throws {
    self.limits = limits
    let count = try Self.header(pack, limits)
    table = try PackTable(capacity: count)
    for index in 0..<count {
      try pack.prepare(remaining: count - index)
      try entry(pack)
    }
    endOffset = pack.offset
    trailer = try pack.finish()
    guard made <= limits.inflated(packBytes: endOffset) else {
      throw limits.inflatesTooMuch(packBytes: endOffset)
    }
  }

  private static func header(_ pack: PackReceiver, _ limits: PackLimits) throws -> Int {
    let head = try pack.bytes(12)
    guard head.starts(with: "PACK".utf8) else { throw GitError(.badObjects, "what the client sent is no pack") }
    let version = head[4..<8].reduce(0) { $0 << 8 | Int($1) }
    guard version == 2 || version == 3 else {
      throw GitError(.badObjects, "the pack has the unknown version \(version)")
    }
    let count = head[8..<12].reduce(0) { $0 << 8 | Int($1) }
    guard count <= limits.objects else {
      throw limits.exceeded(
        .objects, "the pack announces \(count) objects", next: "push the history in smaller steps")
    }
    return count
  }

  private mutating func entry(_ pack: PackReceiver) throws {
    let offset = pack.offset
    pack.startChecksum()
    let (type, size) = try typeAndSize(pack)
    try spend(size)
    var new = PackTable.Entry(
      offset: offset, size: UInt32(size), checksum: 0, headerLength: 0, kind: 0, base: PackTable.none)
    switch type {
    case .whole(let kind): new.kind = kind.rawValue
    case .offsetDelta: new.base = Int32(try baseIndex(pack, offset: offset))
    case .referenceDelta:
      new.base = PackTable.byID
      references.append((ObjectID(try pack.bytes(ObjectID.length)), Int32(table.count)))
    }
    new.headerLength = UInt8(pack.offset - offset)
    let limits = limits
    var result = size
    try pack.skip(size: Int(size)) { head in
      guard new.kind == 0 else { return }
      // A small delta may make something huge: refused before anything is made.
      result = try Delta.resultSize(head)
      try limits.checkObject(result)
    }
    made += result
    new.checksum = pack.finishChecksum()
    table.append(new, end: pack.offset)
  }

  private mutating func spend(_ size: UInt64) throws(GitError) {
    try limits.checkObject(size)
    inflated += size
    guard inflated <= limits.inflatedBytes else {
      throw limits.exceeded(.inflatedBytes, "the pack inflates to too much", next: "push the history in smaller steps")
    }
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
      guard shift < 57 else { throw GitError(.badObjects, "the pack holds an object without a readable size") }
      size |= UInt64(byte & 0x7F) << shift
      shift += 7
    }
    return (type, size)
  }

  /// The object that an OFS delta names by its distance. Bases stand before their deltas, so there are no circles.
  private func baseIndex(_ pack: PackReceiver, offset: UInt64) throws -> Int {
    var byte = try pack.byte()
    var distance = UInt64(byte & 0x7F)
    while byte & 0x80 != 0 {
      byte = try pack.byte()
      guard distance < 1 << 50 else { throw GitError(.badObjects, "a delta in the pack has no readable base offset") }
      distance = (distance + 1) << 7 | UInt64(byte & 0x7F)
    }
    guard distance > 0, distance <= offset, let index = table.index(ofOffset: offset - distance) else {
      throw GitError(.badObjects, "a delta in the pack has a base where no object is")
    }
    return index
  }
}
