import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
public import Wire

/// An answer that was read to its end.
public struct ClientResponse: Sendable {
  public var status: Int
  /// Names in lower case.
  public var headers: [String: String]
  public var body: [UInt8]
  let request: ClientRequest
  let address: ServerAddress

  /// The body as JSON; throws ``ClientError/unexpectedAnswer(_:path:reason:)`` when it is something else.
  public func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
    do {
      return try Wire.decode(type, from: Data(body))
    } catch {
      throw ClientError.unexpectedAnswer(address, path: request.path, reason: "not the JSON of \(type)")
    }
  }
}

/// An answer whose body is still coming. The body can be read once, as bytes or as records.
public struct StreamingResponse: Sendable {
  public var status: Int
  /// Names in lower case.
  public var headers: [String: String]
  public let bytes: ResponseBytes

  init(_ response: HTTPClientResponse, upload: DescriptorBytes?, client: PaasClient) {
    status = Int(response.status.code)
    headers = Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first }
    bytes = ResponseBytes(body: response.body, upload: upload, client: client)
  }

  /// A header by its name in any case.
  public func header(_ name: String) -> String? { headers[name.lowercased()] }

  /// The body as ``StreamRecord``s.
  public var records: ResponseRecords { ResponseRecords(bytes: bytes) }
}

/// The pieces of a body. A reader that stops asking slows the server.
public struct ResponseBytes: AsyncSequence, Sendable {
  public typealias Element = [UInt8]
  public typealias Failure = any Error
  let body: HTTPClientResponse.Body
  let upload: DescriptorBytes?
  let client: PaasClient

  public struct Iterator: AsyncIteratorProtocol {
    var body: HTTPClientResponse.Body.AsyncIterator
    let upload: DescriptorBytes?
    let client: PaasClient

    /// Throws ``ClientError/connectionLost(_:)`` when the server goes before the end.
    public mutating func next() async throws -> [UInt8]? {
      do {
        if let piece = try await body.next() { return [UInt8](buffer: piece) }
        upload?.cancel()
        return nil
      } catch {
        upload?.cancel()
        throw client.explained(error)
      }
    }
  }

  public func makeAsyncIterator() -> Iterator {
    Iterator(body: body.makeAsyncIterator(), upload: upload, client: client)
  }

  /// All of it; throws ``ClientError`` when there is more than `limit` bytes.
  public func collect(limit: Int) async throws -> [UInt8] {
    var result: [UInt8] = []
    for try await piece in self {
      result += piece
      if result.count > limit {
        throw ClientError.unexpectedAnswer(client.address, path: "", reason: "more than \(limit) bytes")
      }
    }
    return result
  }
}

/// The records of a stream, put together from the pieces they come in. Ends after the exit record, or where the
/// body ends; keep-alive records are handed on.
public struct ResponseRecords: AsyncSequence, Sendable {
  public typealias Element = StreamRecord
  public typealias Failure = any Error
  let bytes: ResponseBytes

  public struct Iterator: AsyncIteratorProtocol {
    var bytes: ResponseBytes.Iterator
    var parser = StreamRecordParser()
    var ended = false

    /// Throws ``StreamRecordError`` for bytes that are no records, and ``ClientError``.
    public mutating func next() async throws -> StreamRecord? {
      while !ended {
        if let record = try parser.next() {
          ended = record.kind == .exit
          return record
        }
        guard let piece = try await bytes.next() else { break }
        parser.append(piece)
      }
      return nil
    }
  }

  public func makeAsyncIterator() -> Iterator { Iterator(bytes: bytes.makeAsyncIterator()) }
}
