/// A request's head (RFC 9112 section 3), as offsets into the bytes it was read from. One is kept per event loop and
/// filled again for each request, so that its lists keep their memory.
final class RequestHead {
  /// A field that does not simply go through.
  struct Special {
    var name: FieldName
    var value: ByteRange
  }

  struct Flags: OptionSet {
    let rawValue: UInt16
    static let close = Flags(rawValue: 1)
    static let keepAlive = Flags(rawValue: 2)
    /// `Connection: upgrade`.
    static let upgrade = Flags(rawValue: 4)
    /// `Connection` names fields of this request.
    static let nominates = Flags(rawValue: 8)
    static let chunked = Flags(rawValue: 16)
    static let hasLength = Flags(rawValue: 32)
    static let expectsContinue = Flags(rawValue: 64)
    /// `Upgrade` names only protocols that may pass.
    static let mayUpgrade = Flags(rawValue: 128)
  }

  var method = ByteRange.none
  /// In origin-form or asterisk-form; of an absolute-form only path and query, and empty when it has no path.
  var target = ByteRange.none
  /// OPTIONS for the server as a whole, said in absolute-form (RFC 9112 section 3.2.4).
  var isAsterisk = false
  /// The authority of an absolute-form.
  var authority = ByteRange.none
  var minor: UInt8 = 1
  /// The value of `Host`.
  var host = ByteRange.none
  var flags: Flags = []
  var contentLength: Int = 0
  /// Elements of all values of `Connection`.
  var nominations = 0
  /// Whole field lines that go through as they are, neighbours joined.
  var runs: [ByteRange] = []
  var specials: [Special] = []
  /// Bytes of the head with its empty line.
  var length = 0

  var isOld: Bool { minor == 0 }
  var hasBody: Bool { flags.contains(.chunked) || contentLength > 0 }
  /// The client would like to send another request on this connection (RFC 9112 section 9.3).
  var keepsAlive: Bool { !flags.contains(.close) && (minor > 0 || flags.contains(.keepAlive)) }

  /// Sending it twice does no harm: the method is idempotent (RFC 9110 section 9.2.2), and there is no body that would
  /// be gone, nor a tunnel.
  func mayResend(_ bytes: RawSpan) -> Bool {
    guard !hasBody, !flags.contains(.mayUpgrade) else { return false }
    return bytes.isExactly(method, "GET") || bytes.isExactly(method, "HEAD") || bytes.isExactly(method, "PUT")
      || bytes.isExactly(method, "DELETE") || bytes.isExactly(method, "OPTIONS") || bytes.isExactly(method, "TRACE")
  }

  /// The value of the first field of this name.
  func first(_ name: FieldName) -> ByteRange? { specials.first { $0.name == name }?.value }

  func reset() {
    method = .none
    target = .none
    authority = .none
    isAsterisk = false
    minor = 1
    host = .none
    flags = []
    contentLength = 0
    nominations = 0
    runs.removeAll(keepingCapacity: true)
    specials.removeAll(keepingCapacity: true)
    length = 0
  }

  /// A piece that goes through, joined to the last one when nothing is between them.
  func keep(from start: Int, to end: Int) {
    if let last = runs.indices.last, runs[last].end == start {
      runs[last].end = end
    } else {
      runs.append(ByteRange(start: start, end: end))
    }
  }
}
