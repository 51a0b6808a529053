import Wire

/// The methods that the API uses.
public enum Method: String, Sendable {
  case get = "GET"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"
}

/// The bytes of a request. All but `bytes` are sent as they come, in chunks, and a slow server slows the source.
public enum RequestBody: Sendable {
  case none
  case bytes([UInt8])
  /// Read until end of file, on threads of its own. The descriptor is duplicated: the caller may close it when the
  /// call has started.
  case descriptor(Int32)
  case sequence(any AsyncSequence<[UInt8], any Error> & Sendable)
}

/// One request to the server.
public struct ClientRequest: Sendable {
  public var method: Method
  /// With its query, percent-encoded: `/apps/hello/builds?limit=3`.
  public var path: String
  public var headers: [String: String]
  public var body: RequestBody
  /// For the head of the answer; `nil` waits for ever (a deploy may take minutes).
  public var timeout: Duration?
  /// Bytes of an answer that is read whole.
  public var answerLimit = Wire.maximumJSON

  public init(
    _ method: Method, _ path: String, headers: [String: String] = [:], body: RequestBody = .none,
    timeout: Duration? = nil
  ) {
    self.method = method
    self.path = path
    self.headers = headers
    self.body = body
    self.timeout = timeout
  }
}
