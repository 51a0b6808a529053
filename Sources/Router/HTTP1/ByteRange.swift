/// A piece of a message, as offsets from the first byte of the span it was found in.
struct ByteRange: Equatable, Sendable {
  var start: Int
  var end: Int

  /// Nothing, nowhere.
  static let none = ByteRange(start: 0, end: 0)

  var count: Int { end &- start }
  var isEmpty: Bool { end <= start }
}

extension RawSpan {
  /// The byte at an offset that the caller has just compared with ``byteCount``.
  @inline(__always)
  func byte(_ offset: Int) -> UInt8 { unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) }

  /// Eight bytes, the first of them lowest, at an offset of which the caller knows that eight bytes follow.
  @inline(__always)
  func word(_ offset: Int) -> UInt64 {
    unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
  }

  /// The bytes of a range as text, for pages, logs and tests; never on the way of a request. Empty when the range does
  /// not lie in this span.
  func text(_ range: ByteRange) -> String {
    guard range.start >= 0, range.end <= byteCount, range.start <= range.end else { return "" }
    return withUnsafeBytes { String(decoding: $0[range.start..<range.end], as: UTF8.self) }
  }

  /// A line has ended at or behind this offset.
  func hasLineFeed(from start: Int) -> Bool {
    var offset = start
    while offset < byteCount {
      if byte(offset) == 10 { return true }
      offset &+= 1
    }
    return false
  }

  /// The bytes of a range are exactly these (methods: RFC 9110 section 9.1).
  @inline(__always)
  func isExactly(_ range: ByteRange, _ wanted: StaticString) -> Bool {
    guard range.count == wanted.utf8CodeUnitCount, range.start >= 0, range.end <= byteCount else { return false }
    for index in 0..<range.count where unsafe byte(range.start &+ index) != wanted.utf8Start[index] { return false }
    return true
  }

  /// The bytes of a range equal these, which are in lower case, when letters of the range are made small.
  @inline(__always)
  func equals(_ range: ByteRange, _ lower: StaticString) -> Bool {
    guard range.count == lower.utf8CodeUnitCount, range.start >= 0, range.end <= byteCount else { return false }
    let wanted = unsafe lower.utf8Start
    for index in 0..<range.count where unsafe (byte(range.start &+ index) | 0x20) != wanted[index] { return false }
    return true
  }
}

/// What a byte may be, as two words of bits: one comparison, no table in memory.
enum ByteClass {
  /// Characters of a token (RFC 9110 section 5.6.2).
  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool { isIn(byte, 0x3ff_6cfa_0000_0000, 0x57ff_ffff_c7ff_fffe) }

  /// Letters, digits, `-`, `.`, `_`: what a registered name is made of here.
  @inline(__always)
  static func isHost(_ byte: UInt8) -> Bool { isIn(byte, 0x3ff_6000_0000_0000, 0x7ff_fffe_87ff_fffe) }

  /// Letters, digits and `-`.
  @inline(__always)
  static func isIdentifier(_ byte: UInt8) -> Bool { isIn(byte, 0x3ff_2000_0000_0000, 0x7ff_fffe_07ff_fffe) }

  /// What a request target is made of: everything visible but `#`, and bytes above ASCII, which clients send raw.
  @inline(__always)
  static func isTarget(_ byte: UInt8) -> Bool { byte > 0x20 && byte != 0x23 && byte != 0x7F }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  @inline(__always)
  private static func isIn(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
    let word = byte < 64 ? low : high
    return byte < 128 && (word &>> UInt64(byte & 63)) & 1 == 1
  }
}
