import CGit2
import Platform

/// A SHA-1 object id as three numbers, so that millions of them compare and hash fast.
struct ObjectID: Hashable, Comparable, Sendable, CustomStringConvertible {
  private let high: UInt64
  private let middle: UInt64
  private let low: UInt32

  static let length = 20

  /// Reads the first 20 bytes; fewer count as zeros.
  init(_ bytes: some Collection<UInt8>) {
    var high: UInt64 = 0
    var middle: UInt64 = 0
    var low: UInt32 = 0
    for (index, byte) in bytes.prefix(Self.length).enumerated() {
      switch index {
      case 0..<8: high |= UInt64(byte) << (56 - 8 * index)
      case 8..<16: middle |= UInt64(byte) << (120 - 8 * index)
      default: low |= UInt32(byte) << (152 - 8 * index)
      }
    }
    self.high = high
    self.middle = middle
    self.low = low
  }

  /// Reads the 20 bytes at `raw`; the caller has proved that they are there.
  @inline(__always)
  init(raw: UnsafeRawPointer) {
    high = UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self))
    middle = UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    low = UInt32(bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
  }

  init(_ id: git_oid) {
    self = withUnsafePointer(to: id) { ObjectID(raw: $0) }
  }

  init(_ id: CommitID) {
    self = ObjectID(Array(id.description.utf8)[...]) ?? ObjectID([])
  }

  /// Reads 40 hexadecimal digits in lower case, as they stand in commits; `nil` for anything else.
  init?(_ hexadecimal: ArraySlice<UInt8>) {
    guard hexadecimal.count == 2 * Self.length else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.length)
    var previous: UInt8?
    for digit in hexadecimal {
      let value: UInt8
      switch digit {
      case 48...57: value = digit - 48
      case 97...102: value = digit - 87
      default: return nil
      }
      if let first = previous {
        bytes.append(first << 4 | value)
        previous = nil
      } else {
        previous = value
      }
    }
    self.init(bytes)
  }

  var bytes: [UInt8] { withBytes { Array($0) } }

  /// Calls `body` with the 20 bytes.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    // Three numbers without padding between them, in the order of the bytes once they are big-endian.
    let parts = (high.bigEndian, middle.bigEndian, low.bigEndian)
    return try withUnsafeBytes(of: parts) { try body(UnsafeRawBufferPointer(rebasing: $0[0..<Self.length])) }
  }

  /// The first eight bytes as a number: for hash tables.
  @inline(__always)
  var leading: UInt64 { high }

  /// The first byte: its place in the fan-out of an index.
  var firstByte: Int { Int(high >> 56) }
  var firstTwoBytes: Int { Int(high >> 48) }

  /// For libgit2.
  var oid: git_oid {
    var oid = git_oid()
    withBytes { bytes in withUnsafeMutableBytes(of: &oid) { $0.copyMemory(from: bytes) } }
    return oid
  }

  var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  var isZero: Bool { high == 0 && middle == 0 && low == 0 }

  static func < (left: ObjectID, right: ObjectID) -> Bool {
    if left.high != right.high { return left.high < right.high }
    if left.middle != right.middle { return left.middle < right.middle }
    return left.low < right.low
  }
}

/// The four kinds of objects, numbered as in a pack (gitformat-pack(5), "Object types").
enum ObjectKind: UInt8, Sendable {
  case commit = 1
  case tree = 2
  case blob = 3
  case tag = 4

  /// Reads git's name for it, as a tag object holds it.
  init?(name: some Sequence<UInt8>) {
    switch String(decoding: Array(name), as: UTF8.self) {
    case "commit": self = .commit
    case "tree": self = .tree
    case "blob": self = .blob
    case "tag": self = .tag
    default: return nil
    }
  }

  var name: String {
    switch self {
    case .commit: "commit"
    case .tree: "tree"
    case .blob: "blob"
    case .tag: "tag"
    }
  }
}
