/// Looks for the end of a head that arrives in pieces, each byte once: a client that sends one byte at a time must not
/// make the router parse the whole again for each.
struct HeadEnd: Sendable {
  /// Bytes already looked at.
  private(set) var seen = 0

  enum Outcome {
    case incomplete
    /// The empty line is there: the head can be parsed.
    case complete
    /// A bare LF or a NUL: it can never become a head.
    case malformed
  }

  mutating func look(at bytes: RawSpan) -> Outcome {
    let count = bytes.byteCount
    var offset = seen
    defer { seen = max(seen, offset) }
    while offset < count {
      let byte = bytes.byte(offset)
      if byte == 0 { return .malformed }
      if byte == 10 {
        guard offset >= 1, bytes.byte(offset &- 1) == 13 else { return .malformed }
        let isEnd = offset >= 3 && bytes.byte(offset &- 2) == 10 && bytes.byte(offset &- 3) == 13
        if isEnd { return .complete }
      }
      offset &+= 1
    }
    return .incomplete
  }

  mutating func reset() { seen = 0 }
}
