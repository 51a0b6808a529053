@testable import Router

/// The router's parsers of strangers' bytes. libFuzzer calls these functions (`make fuzz`), and a test calls them with
/// the corpus. None may trap, or say two things about the same bytes, be they read at once or as they come.
enum RouterFuzzEntry: String, CaseIterable {
  case head = "router-head"
  case chunks = "router-chunks"
  case proxy = "router-proxy"

  func run(_ bytes: [UInt8]) {
    switch self {
    case .head:
      FuzzedRequest.run(bytes)
      FuzzedResponse.run(bytes)
    case .chunks:
      FuzzedChunks.run(bytes)
      FuzzedTrailers.run(bytes)
    case .proxy: Self.proxy(bytes)
    }
  }

  /// Who a PROXY header names is known with its last byte, not before, and nothing behind it changes that.
  private static func proxy(_ bytes: [UInt8]) {
    let whole = ProxyHeader.read(bytes.span.bytes)
    var length = bytes.count
    if case .source(let source) = whole {
      length = source.length
      precondition(length > 0 && length <= bytes.count, "a PROXY header longer than what came")
      precondition(source.port.map { (0...65_535).contains($0) } ?? true, "a port that is none")
      if let address = source.address {
        precondition(IPAddress(address) != nil, "an address that is none")
        precondition(address.utf8.allSatisfy { Self.isOfAddress($0) }, "more than an address")
      }
      precondition(ProxyHeader.read(Array(bytes[..<length]).span.bytes) == whole, "what is behind it matters")
    }
    for cut in cuts(length) {
      switch ProxyHeader.read(Array(bytes[..<cut]).span.bytes) {
      case .incomplete: break
      case .source: preconditionFailure("whole before its end")
      case .malformed: precondition(whole == .malformed, "refused in pieces only")
      }
    }
  }

  private static func isOfAddress(_ byte: UInt8) -> Bool {
    ByteClass.isDigit(byte) || (97...102).contains(byte | 0x20) || byte == UInt8(ascii: ":")
      || byte == UInt8(ascii: ".")
  }

  /// Where to cut: everywhere when that is few, else at some places.
  static func cuts(_ count: Int) -> StrideTo<Int> { stride(from: 0, to: count, by: max(1, count / 64)) }
}

extension RawSpan {
  /// The bytes of a range, which must lie in this span.
  func copy(_ range: ByteRange) -> [UInt8] {
    precondition(range.start >= 0 && range.start <= range.end && range.end <= byteCount, "a range outside")
    return (range.start..<range.end).map { byte($0) }
  }
}
