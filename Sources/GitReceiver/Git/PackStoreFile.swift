import Glibc
import Linux

/// A file in memory, read only. It may be unlinked meanwhile; nobody shortens a pack.
final class MappedFile {
  let start: UnsafeRawPointer
  let count: Int
  /// Seconds since 1970.
  let modified: Int

  /// Throws `SystemError`; a file of fewer than `least` bytes is one for ``GitError``.
  init(_ path: String, least: Int) throws {
    let descriptor = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    var info = stat()
    try checked("look at '\(path)'") { fstat(descriptor, &info) }
    count = Int(info.st_size)
    modified = info.st_mtim.tv_sec
    guard count >= least, count > 0 else { throw GitError(.badObjects, "'\(path)' is too short") }
    guard let memory = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), memory != MAP_FAILED else {
      throw SystemError("map '\(path)'")
    }
    start = UnsafeRawPointer(memory)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: start), count) }
}

/// The head of one entry of a stored pack.
struct StoredEntry {
  /// Where the entry begins in its pack.
  var offset: Int
  /// Inflated bytes of what is stored: the object, or the delta.
  var size: Int
  /// Where its zlib stream begins.
  var data: Int
  /// 1 to 4 for whole objects, 6 and 7 for deltas.
  var type: UInt8
  /// Of an OFS delta: where its base begins.
  var base = 0
}

/// One pack and its index, version 2 (gitformat-pack(5)), in memory. Every position, offset and size that comes out of
/// the files is checked here before it is used.
final class StoredPack {
  /// The path without `.pack`.
  let name: String
  let count: Int
  /// Seconds since 1970 of the pack file.
  var modified: Int { pack.modified }
  /// The entries end where the pack's checksum begins.
  let dataEnd: Int

  private let index: MappedFile
  private let pack: MappedFile
  private let ids: UnsafeRawPointer
  private let checksums: UnsafeRawPointer
  private let offsets: UnsafeRawPointer
  private let largeOffsets: UnsafeRawPointer
  private let largeCount: Int

  private static let fanoutOffset = 8
  private static let idsOffset = 8 + 4 * 256
  private static let headerLength = 12

  /// Throws ``GitError`` for files that are none of these, `SystemError` when they cannot be read.
  init(_ name: String) throws {
    self.name = name
    index = try MappedFile("\(name).idx", least: Self.idsOffset + 2 * ObjectID.length)
    pack = try MappedFile("\(name).pack", least: Self.headerLength + ObjectID.length)
    func refuse(_ reason: String) -> GitError { GitError(.badObjects, "'\(name).idx' \(reason)") }
    guard Self.number(index.start, 0) == 0xFF74_4F63, Self.number(index.start, 4) == 2 else {
      throw refuse("is no index of version 2")
    }
    var last: UInt32 = 0
    for slot in 0..<256 {
      let next = Self.number(index.start, Self.fanoutOffset + 4 * slot)
      guard next >= last else { throw refuse("has a fan-out that goes down") }
      last = next
    }
    count = Int(last)
    let (fixed, rest) = (Self.idsOffset + count * 28, 2 * ObjectID.length)
    guard index.count >= fixed + rest, (index.count - fixed - rest) % 8 == 0 else { throw refuse("has a wrong size") }
    largeCount = (index.count - fixed - rest) / 8
    ids = index.start + Self.idsOffset
    checksums = ids + count * ObjectID.length
    offsets = checksums + 4 * count
    largeOffsets = offsets + 4 * count
    dataEnd = pack.count - ObjectID.length
    guard Self.number(pack.start, 0) == 0x5041_434B, (2...3).contains(Self.number(pack.start, 4)),
      Self.number(pack.start, 8) == last,
      memcmp(pack.start + dataEnd, index.start + index.count - rest, ObjectID.length) == 0
    else { throw refuse("does not belong to its pack") }
  }

  @inline(__always)
  private static func number(_ start: UnsafeRawPointer, _ offset: Int) -> UInt32 {
    UInt32(bigEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  // MARK: Positions: 0 to count - 1, in the order of ids

  /// The id at a position of the index; the caller has the position from here.
  @inline(__always)
  func id(at position: Int) -> ObjectID {
    precondition(position >= 0 && position < count)
    return ObjectID(raw: ids + position * ObjectID.length)
  }

  /// The CRC-32 of the stored bytes.
  func checksum(at position: Int) -> UInt32 {
    precondition(position >= 0 && position < count)
    return Self.number(checksums, 4 * position)
  }

  /// Where the object's entry begins in the pack. Throws ``GitError`` when that is outside.
  func offset(at position: Int) throws(GitError) -> Int {
    precondition(position >= 0 && position < count)
    let value = Self.number(offsets, 4 * position)
    var offset = Int(value)
    if value & 0x8000_0000 != 0 {
      let slot = Int(value & 0x7FFF_FFFF)
      guard slot < largeCount else { throw torn("names an offset it does not have") }
      let large = UInt64(bigEndian: largeOffsets.loadUnaligned(fromByteOffset: 8 * slot, as: UInt64.self))
      offset = Int(exactly: large) ?? Int.max
    }
    guard offset >= Self.headerLength, offset < dataEnd else { throw torn("names an offset outside of it") }
    return offset
  }

  /// The position of an id; -1 when it is not in this pack.
  func find(_ id: ObjectID) -> Int {
    let byte = id.firstByte
    var low = byte == 0 ? 0 : Int(Self.number(index.start, Self.fanoutOffset + 4 * (byte - 1)))
    var high = Int(Self.number(index.start, Self.fanoutOffset + 4 * byte))
    while low < high {
      let middle = (low &+ high) >> 1
      let other = ObjectID(raw: ids + middle &* ObjectID.length)
      if other == id { return middle }
      if other < id { low = middle &+ 1 } else { high = middle }
    }
    return -1
  }

  // MARK: Entries

  /// Where an entry is, and whose it is.
  struct Place {
    var offset: Int
    var position: Int
  }

  /// All entries as they lie in the pack: made when first asked for. Throws ``GitError``.
  func order() throws -> [Place] {
    if let made = madeOrder { return made }
    var places: [Place] = []
    places.reserveCapacity(count)
    for position in 0..<count { places.append(Place(offset: try offset(at: position), position: position)) }
    places.sort { $0.offset < $1.offset }
    madeOrder = places
    return places
  }
  private var madeOrder: [Place]?

  /// The position of the object whose entry begins at `offset`. Throws ``GitError`` when none does.
  func position(at offset: Int) throws -> Int {
    let order = try order()
    var low = 0
    var high = order.count
    while low < high {
      let middle = (low + high) / 2
      if order[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    guard low < order.count, order[low].offset == offset else { throw torn("has a delta against nothing") }
    return order[low].position
  }

  /// The bytes from `start` to `end` of the pack; both lie within its entries.
  func bytes(_ start: Int, _ end: Int) throws(GitError) -> UnsafeRawBufferPointer {
    guard start >= Self.headerLength, start <= end, end <= dataEnd else { throw torn("is cut short") }
    return UnsafeRawBufferPointer(start: pack.start + start, count: end - start)
  }

  /// The id of a REF delta's base.
  func baseID(of entry: StoredEntry) -> ObjectID {
    precondition(entry.type == 7 && entry.data <= dataEnd && entry.data >= Self.headerLength + ObjectID.length)
    return ObjectID(raw: pack.start + entry.data - ObjectID.length)
  }

  /// Reads the head of the entry at `offset`. Throws ``GitError`` when there is none.
  func entry(at offset: Int) throws(GitError) -> StoredEntry {
    guard offset >= Self.headerLength, offset < dataEnd else { throw torn("names an offset outside of it") }
    var at = offset
    var byte = pack.start.load(fromByteOffset: at, as: UInt8.self)
    at += 1
    var size = Int(byte & 0x0F)
    let type = byte >> 4 & 7
    var shift = 4
    while byte & 0x80 != 0 {
      guard at < dataEnd, shift < 56 else { throw torn("has an entry without a size") }
      byte = pack.start.load(fromByteOffset: at, as: UInt8.self)
      size |= Int(byte & 0x7F) << shift
      shift += 7
      at += 1
    }
    var entry = StoredEntry(offset: offset, size: size, data: at, type: type)
    switch type {
    case 1...4: break
    case 6:
      let (distance, end) = try distance(at)
      guard distance > 0, distance <= offset - Self.headerLength else { throw torn("has a delta against nothing") }
      entry.base = offset - distance
      entry.data = end
    case 7: entry.data = at + ObjectID.length
    default: throw torn("has an entry of type \(type)")
    }
    // A zlib stream cannot unfold to more than about 1,032 times its length.
    guard entry.data < dataEnd, size / 1100 <= dataEnd - entry.data else { throw torn("has an entry of a wrong size") }
    return entry
  }

  private func distance(_ start: Int) throws(GitError) -> (Int, end: Int) {
    var at = start
    var value = 0
    while true {
      guard at < dataEnd, value < 1 << 48 else { throw torn("has a delta without a base") }
      let byte = pack.start.load(fromByteOffset: at, as: UInt8.self)
      at += 1
      value = value << 7 | Int(byte & 0x7F)
      if byte & 0x80 == 0 { return (value, at) }
      value += 1
    }
  }

  func torn(_ how: String) -> GitError { GitError(.badObjects, "the pack '\(name).pack' \(how)") }
}
