/// One entry of a tree object where it lies, found without copying (gitformat: digits of the mode, a space, the name,
/// NUL, 20 bytes of id). Valid as long as the tree's bytes are.
struct RawTreeEntry {
  let start: UnsafeRawPointer
  /// 32 bits, as git reads it: more digits push the first ones out.
  let mode: UInt32
  let name: UnsafeRawPointer
  let nameLength: Int
  /// The name holds '/' or '\'.
  let hasSlash: Bool

  var id: UnsafeRawPointer { name + nameLength + 1 }
  var end: UnsafeRawPointer { id + ObjectID.length }
  var isDirectory: Bool { mode & Self.typeMask == 0o040000 }
  var isSymlink: Bool { mode & Self.typeMask == 0o120000 }

  /// What the id must name; `nil`: a submodule, which is what git takes every mode for that it does not know.
  var kind: ObjectKind? {
    switch mode & Self.typeMask {
    case 0o040000: .tree
    case 0o100000, 0o120000: .blob
    default: nil
    }
  }

  private static let typeMask: UInt32 = 0o170000

  /// Reads the entry at `start`; `nil` when it is torn, or its mode or name is empty.
  @inline(__always)
  init?(at start: UnsafeRawPointer, end: UnsafeRawPointer) {
    var position = start
    var mode: UInt32 = 0
    while true {
      guard position < end else { return nil }
      let digit = position.load(as: UInt8.self)
      position += 1
      if digit == UInt8(ascii: " ") { break }
      guard digit & 0xF8 == 0x30 else { return nil }
      mode = mode &<< 3 | UInt32(digit & 7)
    }
    guard position - start > 1,
      let found = RawTree.scan(position, end: end), found.length > 0,
      end - position - found.length > ObjectID.length
    else { return nil }
    self.start = start
    self.mode = mode
    name = position
    nameLength = found.length
    hasSlash = found.hasSlash
  }
}

/// Fast reading of tree objects, eight bytes at a time.
enum RawTree {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let tops: UInt64 = 0x8080_8080_8080_8080

  /// The bytes before the next NUL, and whether '/' or '\' is among them; `nil` when there is no NUL.
  @inline(__always)
  static func scan(_ start: UnsafeRawPointer, end: UnsafeRawPointer) -> (length: Int, hasSlash: Bool)? {
    var position = start
    var slashes: UInt64 = 0
    while end - position >= 8 {
      let word = UInt64(littleEndian: position.loadUnaligned(as: UInt64.self))
      let zero = zeros(word)
      let found = zeros(word ^ (ones &* 0x2F)) | zeros(word ^ (ones &* 0x5C))
      if zero != 0 {
        // Above the lowest hit of `zeros` there can be false ones, so only what lies below the NUL counts.
        let below = (zero & (0 &- zero)) &- 1
        let length = position - start + zero.trailingZeroBitCount / 8
        return (length, (slashes | (found & below)) != 0)
      }
      slashes |= found
      position += 8
    }
    while position < end {
      let byte = position.load(as: UInt8.self)
      if byte == 0 { return (position - start, slashes != 0) }
      if byte == 0x2F || byte == 0x5C { slashes = 1 }
      position += 1
    }
    return nil
  }

  /// Goes over whole entries from `start` on, as many as end at `limit` or before. They are known to be readable.
  @inline(__always)
  static func skipEntries(from start: UnsafeRawPointer, to limit: UnsafeRawPointer) -> UnsafeRawPointer {
    var entry = start
    var position = start
    // Names differ in length, so branches on it are guessed wrong: look at 32 bytes at once, without.
    while limit - position >= 32 {
      let first = zeros(word(position, 0))
      let second = zeros(word(position, 8))
      let third = zeros(word(position, 16))
      let fourth = zeros(word(position, 24))
      let low = first != 0 ? first : second
      let high = third != 0 ? third : fourth
      let inLow = (first | second) != 0
      let zero = inLow ? low : high
      guard zero != 0 else { break }
      let offset = inLow ? (first != 0 ? 0 : 8) : (third != 0 ? 16 : 24)
      let end = position + (offset &+ zero.trailingZeroBitCount >> 3 &+ 1 &+ ObjectID.length)
      guard end <= limit else { return entry }
      entry = end
      position = end
    }
    while limit - position >= 8 {
      let zero = zeros(UInt64(littleEndian: position.loadUnaligned(as: UInt64.self)))
      if zero == 0 {
        position += 8
        continue
      }
      let end = position + (zero.trailingZeroBitCount / 8 + 1 + ObjectID.length)
      guard end <= limit else { return entry }
      entry = end
      position = end
    }
    return entry
  }

  @inline(__always)
  private static func word(_ start: UnsafeRawPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// How many bytes are the same from both pointers on, `limit` at most.
  @inline(__always)
  static func common(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, limit: Int) -> Int {
    var count = 0
    while limit - count >= 32 {
      let first = (word(left, count) ^ word(right, count)) | (word(left, count + 8) ^ word(right, count + 8))
      let second =
        (word(left, count + 16) ^ word(right, count + 16)) | (word(left, count + 24) ^ word(right, count + 24))
      if first | second != 0 { break }
      count += 32
    }
    while limit - count >= 8 {
      let difference =
        left.loadUnaligned(fromByteOffset: count, as: UInt64.self)
        ^ right.loadUnaligned(fromByteOffset: count, as: UInt64.self)
      if difference != 0 { return count + UInt64(littleEndian: difference).trailingZeroBitCount / 8 }
      count += 8
    }
    while count < limit,
      left.load(fromByteOffset: count, as: UInt8.self) == right.load(fromByteOffset: count, as: UInt8.self)
    {
      count += 1
    }
    return count
  }

  /// The order of names in a tree: that of their bytes, where a directory's name ends in '/'.
  static func order(_ left: RawTreeEntry, _ right: RawTreeEntry) -> Order {
    let length = min(left.nameLength, right.nameLength)
    let same = common(left.name, right.name, limit: length)
    if same == length, left.nameLength == right.nameLength { return .sameName }
    let first =
      same < left.nameLength ? left.name.load(fromByteOffset: same, as: UInt8.self) : left.isDirectory ? 0x2F : 0
    let second =
      same < right.nameLength ? right.name.load(fromByteOffset: same, as: UInt8.self) : right.isDirectory ? 0x2F : 0
    if first < second { return .ascending(leftBegins: same == left.nameLength) }
    return .descending
  }

  enum Order {
    case ascending(leftBegins: Bool)
    case sameName
    case descending
  }

  @inline(__always)
  private static func zeros(_ word: UInt64) -> UInt64 { (word &- ones) & ~word & tops }
}
