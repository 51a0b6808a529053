import AsyncHTTPClient
import FoundationEssentials
import Glibc
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Wire

/// The API of one server as its callers see it: the CLI, the receiver, the router. A value; connections are kept and
/// shared behind it. Every call throws `APIError` (Wire) for an answer that is not 2xx, and ``ClientError`` when
/// there is no usable answer.
public struct PaasClient: Sendable {
  public let address: ServerAddress
  /// Sent as `Authorization: Bearer`.
  public var token: String?

  public init(address: ServerAddress, token: String? = nil) {
    self.address = address
    self.token = token
  }

  /// The same calls for threads that may wait.
  public var blocking: BlockingClient { BlockingClient(self) }

  public func get<Value: Decodable & Sendable>(
    _ path: String, as type: Value.Type = Value.self, timeout: Duration? = nil
  ) async throws -> Value {
    try await call(ClientRequest(.get, path, timeout: timeout)).decoded(as: type)
  }

  public func post<Value: Decodable & Sendable>(
    _ path: String, _ body: some Encodable & Sendable, as type: Value.Type = Value.self
  ) async throws -> Value {
    try await call(json(.post, path, body)).decoded(as: type)
  }

  /// For answers without a body (204), or whose body does not matter.
  public func post(_ path: String, _ body: some Encodable & Sendable) async throws {
    _ = try await call(json(.post, path, body))
  }

  public func patch<Value: Decodable & Sendable>(
    _ path: String, _ body: some Encodable & Sendable, as type: Value.Type = Value.self
  ) async throws -> Value {
    try await call(json(.patch, path, body)).decoded(as: type)
  }

  public func delete<Value: Decodable & Sendable>(_ path: String, as type: Value.Type = Value.self) async throws
    -> Value
  {
    try await call(ClientRequest(.delete, path)).decoded(as: type)
  }

  public func delete(_ path: String) async throws {
    _ = try await call(ClientRequest(.delete, path))
  }

  /// Sends a request and reads the whole answer, ``ClientRequest/answerLimit`` bytes at most.
  public func call(_ request: ClientRequest) async throws -> ClientResponse {
    let response = try await stream(request)
    let bytes = try await response.bytes.collect(limit: request.answerLimit)
    return ClientResponse(
      status: response.status, headers: response.headers, body: bytes, request: request, address: address)
  }

  /// Sends a request and hands over the answer's body as it comes. While it comes, a streamed request body goes on
  /// being sent (full duplex). Letting go of the response closes the connection.
  public func stream(_ request: ClientRequest) async throws -> StreamingResponse {
    let deadline = request.timeout.map { NIODeadline.now() + TimeAmount($0) } ?? .distantFuture
    var upload: DescriptorBytes?
    if case .descriptor(let descriptor) = request.body { upload = try DescriptorBytes(descriptor) }
    do {
      let answer = try await connections.execute(outgoing(request, upload), deadline: deadline)
      let response = StreamingResponse(answer, upload: upload, client: self)
      try await check(response, path: request.path)
      return response
    } catch {
      upload?.cancel()
      throw explained(error)
    }
  }

  /// A request with a JSON body.
  func json(_ method: Method, _ path: String, _ body: some Encodable) throws -> ClientRequest {
    let bytes = [UInt8](try Wire.encode(body))
    return ClientRequest(method, path, headers: ["Content-Type": "application/json"], body: .bytes(bytes))
  }

  private func outgoing(_ request: ClientRequest, _ upload: DescriptorBytes?) -> HTTPClientRequest {
    var result = HTTPClientRequest(url: address.url(of: request.path))
    result.method = HTTPMethod(rawValue: request.method.rawValue)
    result.headers.add(name: Wire.versionHeader, value: String(Wire.version))
    result.headers.add(name: "User-Agent", value: "paas/0.1")
    if let token { result.headers.add(name: "Authorization", value: "Bearer \(token)") }
    for (name, value) in request.headers { result.headers.replaceOrAdd(name: name, value: value) }
    switch request.body {
    case .none: break
    case .bytes(let bytes): result.body = .bytes(ByteBuffer(bytes: bytes))
    case .descriptor: result.body = upload.map { .stream($0, length: .unknown) }
    case .sequence(let sequence): result.body = .stream(AnyBytes(sequence), length: .unknown)
    }
    return result
  }

  /// Throws what an answer says that is not 2xx.
  private func check(_ response: StreamingResponse, path: String) async throws {
    if let theirs = response.header(Wire.versionHeader), Int(theirs).map(Wire.supported.contains) != true {
      throw ClientError.otherWire(address, theirs: theirs)
    }
    if (200..<300).contains(response.status) { return }
    let bytes = try await response.bytes.collect(limit: Wire.maximumJSON)
    do {
      throw try Wire.decode(APIError.self, from: Data(bytes))
    } catch is DecodingError {
      throw ClientError.unexpectedAnswer(address, path: path, reason: "status \(response.status)")
    }
  }

  /// What AsyncHTTPClient and NIO throw, in our words.
  func explained(_ error: any Error) -> any Error {
    switch error {
    case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
      ClientError.timeout(address)
    case let error as HTTPClientError where error == .remoteConnectionClosed || error == .uncleanShutdown:
      ClientError.connectionLost(address)
    case is HTTPParserError: ClientError.connectionLost(address)
    case let error as HTTPClientError: ClientError.unreachable(address, reason: error.shortDescription)
    case let error as IOError where error.errnoCode == ENOENT || error.errnoCode == ECONNREFUSED:
      ClientError.notRunning(address)
    case let error as IOError where error.errnoCode == EACCES || error.errnoCode == EPERM:
      ClientError.notAllowed(address)
    case let error as IOError where error.errnoCode == ECONNRESET || error.errnoCode == EPIPE:
      ClientError.connectionLost(address)
    case is CancellationError, is ClientError, is APIError: error
    default: ClientError.unreachable(address, reason: String(describing: error))
    }
  }
}

/// All connections of this process. It lives as long as the process, so it is never shut down.
private let connections: HTTPClient = {
  var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
  // A socket without a listener is said at once, not retried until the deadline.
  configuration.connectionPool.retryConnectionEstablishment = false
  // Long polls and streams each hold a connection; the default of 8 would make the ninth wait.
  configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 4096
  configuration.timeout = .init(connect: .seconds(10))
  configuration.httpVersion = .http1Only
  return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
}()
