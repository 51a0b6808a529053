/// How large the head of a message may be.
struct HeadLimits: Sendable {
  /// All of it, in bytes.
  var bytes = 64 << 10
  var fields = 128
  /// One field's value.
  var value = 32 << 10
  /// The request target.
  var target = 16 << 10
  /// Elements of `Connection`.
  static let nominations = 64
}

extension HeadLimits {
  /// For heads that were written here: longer than what the client has sent.
  static let own = HeadLimits(bytes: .max, fields: .max, value: .max, target: .max)
}

/// Why a request is refused before an app is looked for. Each is answered, and ends the connection: where the next
/// request would start cannot be known.
enum RequestFault: Error, Equatable, Sendable {
  case malformed
  case malformedField
  case version
  case target
  case targetTooLong
  case tooLarge
  case host
  case disagreeingHost
  case length
  case coding
  case chunk
  case expectation
  case connect
  case proxyHeader

  var status: Int {
    switch self {
    case .malformed, .malformedField, .target, .host, .disagreeingHost, .length, .coding, .chunk, .proxyHeader: 400
    case .connect: 405
    case .targetTooLong: 414
    case .expectation: 417
    case .tooLarge: 431
    case .version: 505
    }
  }

  /// For a person; nothing in it comes from the request.
  var detail: String {
    switch self {
    case .malformed: "This is not HTTP/1.1."
    case .malformedField: "A header is malformed."
    case .version: "Only HTTP/1.1 is spoken here."
    case .target: "The request target is malformed."
    case .targetTooLong: "The address is too long."
    case .tooLarge: "The header is too large."
    case .host: "There must be one valid Host header."
    case .disagreeingHost: "The Host header and the address disagree."
    case .length: "The body's length is unclear."
    case .coding: "The only transfer coding is chunked, once, and without a length beside it."
    case .chunk: "A chunk of the body is malformed."
    case .expectation: "The only expectation is 100-continue."
    case .connect: "This is not a forward proxy."
    case .proxyHeader: "The connection does not begin with a PROXY header."
    }
  }
}
