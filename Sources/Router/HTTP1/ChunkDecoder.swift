/// The chunked coding (RFC 9112 section 7.1), read as it comes and passed on as it is: what is judged to be framing goes
/// through unchanged, so nothing is copied. Extensions are refused in a request, where they have hidden whole
/// requests, and left out of a response, as the RFC asks of a recipient that does not know them.
struct ChunkDecoder: Sendable, Equatable {
  enum Event: Equatable {
    /// Bytes of the size line or the line end behind a chunk; passed on to a peer that reads chunks.
    case framing(ByteRange)
    case data(ByteRange)
    /// An extension; passed on to nobody.
    case dropped(ByteRange)
    /// The last chunk was read; the trailer section starts at the offset.
    case trailers
    /// All bytes are used up.
    case more
    case malformed
  }

  private enum State: Sendable, Equatable {
    case size(digits: Int)
    case afterSize
    case extensions
    case sizeLF
    case data
    case dataCR
    case dataLF
    case trailers
  }

  /// Longest chunk extensions of one chunk that are skipped.
  static let extensionLimit = 4096

  private var state = State.size(digits: 0)
  private var left = 0
  private var skipped = 0
  let allowsExtensions: Bool

  init(allowsExtensions: Bool) { self.allowsExtensions = allowsExtensions }

  /// What comes next from `offset` on, which moves behind it.
  mutating func next(_ bytes: RawSpan, _ offset: inout Int) -> Event {
    guard offset < bytes.byteCount else { return state == .trailers ? .trailers : .more }
    switch state {
    case .size(let digits): return size(bytes, &offset, digits)
    case .afterSize: return afterSize(bytes, &offset)
    case .extensions: return extensions(bytes, &offset)
    case .data:
      let end = offset &+ min(left, bytes.byteCount &- offset)
      let range = ByteRange(start: offset, end: end)
      left &-= range.count
      offset = end
      if left == 0 { state = .dataCR }
      return .data(range)
    case .sizeLF: return one(10, bytes, &offset, then: left == 0 ? .trailers : .data)
    case .dataCR: return one(13, bytes, &offset, then: .dataLF)
    case .dataLF: return one(10, bytes, &offset, then: .size(digits: 0))
    case .trailers: return .trailers
    }
  }

  private mutating func one(_ byte: UInt8, _ bytes: RawSpan, _ offset: inout Int, then next: State) -> Event {
    guard bytes.byte(offset) == byte else { return .malformed }
    state = next
    offset &+= 1
    return .framing(ByteRange(start: offset &- 1, end: offset))
  }

  private mutating func size(_ bytes: RawSpan, _ offset: inout Int, _ before: Int) -> Event {
    let start = offset
    var digits = before
    if digits == 0 { left = 0 }
    while offset < bytes.byteCount, let value = Self.hexadecimal(bytes.byte(offset)) {
      digits &+= 1
      // 15 digits stay far from the sign.
      guard digits <= 15 else { return .malformed }
      left = left &<< 4 | value
      offset &+= 1
    }
    if offset < bytes.byteCount {
      guard digits > 0 else { return .malformed }
      state = .afterSize
      skipped = 0
    } else {
      state = .size(digits: digits)
    }
    return .framing(ByteRange(start: start, end: offset))
  }

  private mutating func afterSize(_ bytes: RawSpan, _ offset: inout Int) -> Event {
    if bytes.byte(offset) == 13 { return one(13, bytes, &offset, then: .sizeLF) }
    guard allowsExtensions else { return .malformed }
    switch bytes.byte(offset) {
    case UInt8(ascii: ";"), 0x20, 9:
      state = .extensions
      return extensions(bytes, &offset)
    default: return .malformed
    }
  }

  private mutating func extensions(_ bytes: RawSpan, _ offset: inout Int) -> Event {
    let start = offset
    let end = FieldLine.endOfText(bytes, from: offset)
    offset = end
    skipped &+= end &- start
    guard skipped <= Self.extensionLimit else { return .malformed }
    if end < bytes.byteCount {
      guard bytes.byte(end) == 13 else { return .malformed }
      state = .afterSize
    }
    return .dropped(ByteRange(start: start, end: end))
  }

  private static func hexadecimal(_ byte: UInt8) -> Int? {
    switch byte {
    case 0x30...0x39: Int(byte &- 0x30)
    case 0x41...0x46: Int(byte &- 0x37)
    case 0x61...0x66: Int(byte &- 0x57)
    default: nil
    }
  }
}

/// The trailer section behind the last chunk (RFC 9112 section 7.1.2).
enum TrailerSection {
  enum Outcome: Equatable {
    case incomplete
    /// Its length with the empty line.
    case complete(length: Int)
    case malformed
  }

  static let limit = 16 << 10

  /// Reads the section that starts at `start`; `keep` gets each line that may go on.
  static func read(_ bytes: RawSpan, at start: Int, keep: (ByteRange) -> Void) -> Outcome {
    var offset = start
    while true {
      switch FieldLine.read(bytes, at: offset) {
      case .incomplete: return bytes.byteCount &- start > limit ? .malformed : .incomplete
      case .malformed: return .malformed
      case .end(let next): return next &- start > limit ? .malformed : .complete(length: next &- start)
      case .line(let line):
        guard !line.hasSpaceBeforeColon else { return .malformed }
        if !FieldName.isForbiddenInTrailer(bytes, line.name) { keep(ByteRange(start: offset, end: line.next)) }
        offset = line.next
      }
    }
  }
}
