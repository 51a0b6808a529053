@testable import Router

/// Chunks in any cutting give the same data and the same verdict, and what goes on to the peer reads as the same.
enum FuzzedChunks {
  private enum End { case more, trailers, malformed }

  private struct Decoded: Equatable {
    var data: [UInt8] = []
    var end = End.more
    /// Where the trailer section starts.
    var offset = 0
    /// What a peer that reads chunks is sent.
    var passed: [UInt8] = []
  }

  static func run(_ bytes: [UInt8]) {
    for allowsExtensions in [false, true] {
      let whole = decode(bytes, piece: { bytes.count }, allowsExtensions)
      for size in [1, 2, 3, 7, 64] {
        precondition(decode(bytes, piece: { size }, allowsExtensions) == whole, "otherwise in pieces of one size")
      }
      var random = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15 | 1
      let ragged = decode(bytes, piece: { Int(next(&random) % 9) + 1 }, allowsExtensions)
      precondition(ragged == whole, "otherwise in pieces of any size")
      passesOn(whole)
      if !allowsExtensions, whole.end == .trailers {
        precondition(decode(bytes, piece: { bytes.count }, true) == whole, "extensions matter where there are none")
        byTheLetter(bytes, whole)
      }
    }
  }

  private static func next(_ state: inout UInt64) -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  /// The peer, which may know no extensions, reads the same data and the same end.
  private static func passesOn(_ whole: Decoded) {
    guard whole.end != .malformed else { return }
    let again = decode(whole.passed, piece: { max(whole.passed.count, 1) }, false)
    precondition(again.data == whole.data && again.end == whole.end, "the peer reads something else")
    precondition(again.passed == whole.passed, "passed on otherwise the second time")
  }

  private static func decode(_ bytes: [UInt8], piece: () -> Int, _ allowsExtensions: Bool) -> Decoded {
    var decoder = ChunkDecoder(allowsExtensions: allowsExtensions)
    var result = Decoded()
    var start = 0
    while start < bytes.count, result.end == .more {
      let end = min(start + piece(), bytes.count)
      take(Array(bytes[start..<end]), &decoder, &result)
      if result.end == .trailers { result.offset += start }
      start = end
    }
    return result
  }

  private static func take(_ part: [UInt8], _ decoder: inout ChunkDecoder, _ result: inout Decoded) {
    var offset = 0
    while true {
      let before = offset
      let event = decoder.next(part.span.bytes, &offset)
      precondition(offset >= before && offset <= part.count, "the offset leaves the bytes")
      switch event {
      case .framing(let range):
        precondition(range.start == before && range.end == offset, "framing elsewhere")
        result.passed += part[range.start..<range.end]
      case .dropped(let range):
        precondition(range.start == before && range.end == offset, "an extension elsewhere")
      case .data(let range):
        precondition(range.start == before && range.end == offset && !range.isEmpty, "data elsewhere")
        result.data += part[range.start..<range.end]
        result.passed += part[range.start..<range.end]
      case .trailers:
        result.end = .trailers
        result.offset = offset
        return
      case .malformed:
        result.end = .malformed
        result.passed = []  // how much of it went on before depends on the pieces
        return
      case .more:
        precondition(offset == part.count, "bytes left over")
        return
      }
    }
  }

  /// Once more as RFC 9112 section 7.1 says it, with no thought of speed and without extensions.
  private static func byTheLetter(_ bytes: [UInt8], _ whole: Decoded) {
    var data: [UInt8] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 13) {
      let digits = String(decoding: rest[..<end], as: UTF8.self)
      precondition(digits.allSatisfy { $0.isASCII && $0.isHexDigit } && rest[end...].prefix(2) == [13, 10], "no size")
      guard let size = Int(digits, radix: 16) else { preconditionFailure("no size") }
      rest = rest[(end + 2)...]
      if size == 0 {
        precondition(data == whole.data && rest.startIndex == whole.offset, "the letter says something else")
        return
      }
      precondition(rest.count >= size + 2, "a chunk that ends too early")
      data += rest.prefix(size)
      precondition(rest.dropFirst(size).prefix(2) == [13, 10], "a chunk that does not end")
      rest = rest.dropFirst(size + 2)
    }
    preconditionFailure("no last chunk")
  }
}

/// Trailer sections: known with the last byte, and what is kept of one is one, with nothing forbidden in it.
enum FuzzedTrailers {
  private typealias Read = (outcome: TrailerSection.Outcome, kept: [UInt8])

  static func run(_ bytes: [UInt8]) {
    let whole = read(bytes, at: 0)
    var length = bytes.count
    if case .complete(let end) = whole.outcome {
      length = end
      precondition(length >= 2 && length <= bytes.count, "trailers longer than what came")
      let again = read(whole.kept + [13, 10], at: 0)
      precondition(again.outcome == .complete(length: whole.kept.count + 2), "what is kept is no trailer section")
      precondition(again.kept == whole.kept, "less is kept the second time")
      let behind = read([13, 10, 0] + bytes, at: 3)
      precondition(behind == whole, "it matters where trailers stand")
    }
    for cut in RouterFuzzEntry.cuts(length) {
      switch read(Array(bytes[..<cut]), at: 0).outcome {
      case .incomplete: break
      case .complete: preconditionFailure("whole before its end")
      case .malformed: precondition(whole.outcome == .malformed, "refused in pieces only")
      }
    }
  }

  private static func read(_ bytes: [UInt8], at start: Int) -> Read {
    var kept: [UInt8] = []
    let outcome = TrailerSection.read(bytes.span.bytes, at: start) { range in
      precondition(range.start >= start && range.start < range.end && range.end <= bytes.count, "a trailer outside")
      kept += bytes[range.start..<range.end]
    }
    return (outcome, kept)
  }
}
