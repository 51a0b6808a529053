/// One field line (RFC 9112 section 5): `name: value CRLF`, with the offsets of its parts.
struct FieldLine {
  var name: ByteRange
  /// Without the spaces and tabs around it.
  var value: ByteRange
  /// The first byte of the next line.
  var next: Int
  /// Spaces stood before the colon: an attack in a request, to be taken out of a response (RFC 9112 section 5.1).
  var hasSpaceBeforeColon: Bool
  /// `_` is in the name.
  var hasUnderscore: Bool

  enum Outcome {
    case line(FieldLine)
    /// The empty line that ends the section; what follows starts here.
    case end(next: Int)
    case incomplete
    /// Not a field line: a bare CR or LF, a control character, a folded line, no name, no colon.
    case malformed
  }

  /// Reads the line that starts at `start`.
  static func read(_ bytes: RawSpan, at start: Int) -> Outcome {
    let count = bytes.byteCount
    guard start < count else { return .incomplete }
    var offset = start
    var hasUnderscore = false
    while offset < count {
      let byte = bytes.byte(offset)
      guard ByteClass.isToken(byte) else { break }
      if byte == UInt8(ascii: "_") { hasUnderscore = true }
      offset &+= 1
    }
    guard offset < count else { return .incomplete }
    if offset == start { return emptyLine(bytes, at: start) }
    let name = ByteRange(start: start, end: offset)
    while offset < count, isBlank(bytes.byte(offset)) { offset &+= 1 }
    guard offset < count else { return .incomplete }
    guard bytes.byte(offset) == UInt8(ascii: ":") else { return .malformed }
    let hasSpace = offset != name.end
    offset &+= 1
    while offset < count, isBlank(bytes.byte(offset)) { offset &+= 1 }
    let valueStart = offset
    offset = endOfText(bytes, from: offset)
    guard offset &+ 1 < count else {
      let isPossible = offset == count || bytes.byte(offset) == 13
      return isPossible ? .incomplete : .malformed
    }
    guard bytes.byte(offset) == 13, bytes.byte(offset &+ 1) == 10 else { return .malformed }
    var valueEnd = offset
    while valueEnd > valueStart, isBlank(bytes.byte(valueEnd &- 1)) { valueEnd &-= 1 }
    return .line(
      FieldLine(
        name: name, value: ByteRange(start: valueStart, end: valueEnd), next: offset &+ 2,
        hasSpaceBeforeColon: hasSpace, hasUnderscore: hasUnderscore))
  }

  private static func emptyLine(_ bytes: RawSpan, at start: Int) -> Outcome {
    guard bytes.byte(start) == 13 else { return .malformed }
    guard start &+ 1 < bytes.byteCount else { return .incomplete }
    return bytes.byte(start &+ 1) == 10 ? .end(next: start &+ 2) : .malformed
  }

  /// The first byte from `start` on that cannot stand in a value: a control character other than the tab
  /// (RFC 9110 section 5.5). Eight at a time.
  static func endOfText(_ bytes: RawSpan, from start: Int) -> Int {
    let count = bytes.byteCount
    let ones: UInt64 = 0x0101_0101_0101_0101
    let highs: UInt64 = 0x8080_8080_8080_8080
    var offset = start
    while offset &+ 8 <= count {
      let word = bytes.word(offset)
      let delete = word ^ (ones &* 0x7F)
      // The lowest bit that is set is exact; those above it may be borrows.
      let hit = ((word &- ones &* 0x20) & ~word | (delete &- ones) & ~delete) & highs
      if hit == 0 {
        offset &+= 8
        continue
      }
      offset &+= hit.trailingZeroBitCount &>> 3
      guard bytes.byte(offset) == 9 else { return offset }
      offset &+= 1
    }
    while offset < count {
      let byte = bytes.byte(offset)
      if (byte < 0x20 && byte != 9) || byte == 0x7F { return offset }
      offset &+= 1
    }
    return offset
  }

  @inline(__always)
  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 9 }
}

/// The elements of a list field (RFC 9110 section 5.6.1): `next` gives each without its blanks, empty ones left out.
struct FieldTokens {
  private var offset: Int
  private let end: Int

  init(_ range: ByteRange) {
    offset = range.start
    end = range.end
  }

  /// The next element; `nil` at the end. `bytes` is the span the range was found in.
  mutating func next(_ bytes: RawSpan) -> ByteRange? {
    let limit = min(end, bytes.byteCount)
    while offset < limit {
      var start = offset
      while offset < limit, bytes.byte(offset) != UInt8(ascii: ",") { offset &+= 1 }
      var last = offset
      offset &+= 1
      while start < last, FieldLine.isBlank(bytes.byte(start)) { start &+= 1 }
      while last > start, FieldLine.isBlank(bytes.byte(last &- 1)) { last &-= 1 }
      if last > start { return ByteRange(start: start, end: last) }
    }
    return nil
  }
}
