import FoundationEssentials
import HTTPTypes
import Hummingbird
import Platform
import Wire

/// What goes with one request.
struct APIContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// Who acts; set by ``Authentication``.
  var actor: Account?
  /// The process on the other side of the router's socket, as the kernel tells.
  var peer: Int32?

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
  }

  /// Who acts. Throws 401 on a route that forgot to ask.
  func account() throws -> Account {
    guard let actor else { throw APIError(id: "unauthorized", message: "this needs a token") }
    return actor
  }

  /// A part of the path without its percent encoding.
  func parameter(_ name: String) throws -> String {
    let raw = try parameters.require(name)
    guard let text = percentDecoded(raw) else { throw APIError.badRequest("the path is not valid UTF-8") }
    return text
  }
}

extension Request {
  /// The body as JSON. Throws ``APIError`` for anything else.
  func decode<Value: Decodable>(_ type: Value.Type, limit: Int = Wire.maximumJSON) async throws -> Value {
    let bytes = try await body.collect(upTo: limit)
    do {
      return try Wire.decode(type, from: Data(bytes.readableBytesView))
    } catch let error as DecodingError {
      throw APIError.badRequest("the body is not the JSON of \(type): \(error.inOneLine)")
    }
  }

  /// A parameter of the query without its percent encoding.
  func query(_ name: String) -> String? { uri.queryParameters[name[...]].map(String.init) }

  /// A number in the query.
  func number(_ name: String, default other: Int) throws -> Int {
    guard let text = query(name) else { return other }
    guard let value = Int(text), value >= 0 else { throw APIError.invalid("'\(name)' must be a number from 0 up") }
    return value
  }
}

extension Response {
  /// A value as JSON.
  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) throws
    -> Response
  {
    let data = try Wire.encode(value)
    var headers = headers
    headers[.contentType] = "application/json"
    headers[.contentLength] = String(data.count)
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
  }

  static var noContent: Response { Response(status: .noContent) }
}

extension DecodingError {
  /// The reason and the place, without the values.
  fileprivate var inOneLine: String {
    switch self {
    case .keyNotFound(let key, _): "'\(key.stringValue)' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      (context.codingPath.last.map { "'\($0.stringValue)': " } ?? "") + context.debugDescription
    @unknown default: "unreadable"
    }
  }
}

/// Text without its percent encoding (RFC 3986 section 2.1); `nil` when the bytes are no
/// UTF-8 or an escape is cut short.
func percentDecoded(_ text: String) -> String? {
  var bytes: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "%") else {
      bytes.append(byte)
      continue
    }
    let digits = rest.prefix(2).compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count == 2 else { return nil }
    bytes.append(UInt8(digits[0] << 4 | digits[1]))
    rest = rest.dropFirst(2)
  }
  return String(validating: bytes, as: UTF8.self)
}
