import Dispatch
public import Wire

/// The calls of ``PaasClient`` for threads of one's own, such as an SSH session's. Each waits for its answer: never
/// call them from a task, where they would hold a thread of Swift's cooperative pool.
public struct BlockingClient: Sendable {
  public let client: PaasClient

  init(_ client: PaasClient) { self.client = client }

  public func get<Value: Decodable & Sendable>(
    _ path: String, as type: Value.Type = Value.self, timeout: Duration? = nil
  ) throws -> Value {
    try waiting { try await client.get(path, as: type, timeout: timeout) }
  }

  public func post<Value: Decodable & Sendable>(
    _ path: String, _ body: some Encodable & Sendable, as type: Value.Type = Value.self
  ) throws -> Value {
    try waiting { try await client.post(path, body, as: type) }
  }

  /// For answers without a body (204).
  public func post(_ path: String, _ body: some Encodable & Sendable) throws {
    try waiting { try await client.post(path, body) }
  }

  public func delete(_ path: String) throws {
    try waiting { try await client.delete(path) }
  }

  /// Sends any request, a body from a pipe too, and reads the whole answer.
  public func call(_ request: ClientRequest) throws -> ClientResponse {
    try waiting { try await client.call(request) }
  }

  /// Sends a request and hands each record of the answer to `body`, on this thread, until the exit record or the end.
  /// What `body` throws ends the call.
  public func records(_ request: ClientRequest, _ body: (StreamRecord) throws -> Void) throws {
    let response = try waiting { try await client.stream(request) }
    let records = RecordBox(response.records.makeAsyncIterator())
    while let record = try waiting({ try await records.next() }) { try body(record) }
  }
}

/// Carries the iterator from one waiting call to the next.
/// `@unchecked Sendable`: its only user waits for each call before it makes the next, so no two overlap.
private final class RecordBox: @unchecked Sendable {
  private var iterator: ResponseRecords.Iterator

  init(_ iterator: ResponseRecords.Iterator) { self.iterator = iterator }

  func next() async throws -> StreamRecord? { try await iterator.next() }
}

/// Runs async work and waits for it, on a thread that may wait.
private func waiting<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
  let box = ResultBox<Value>()
  let done = DispatchSemaphore(value: 0)
  Task.detached {
    do {
      box.result = .success(try await work())
    } catch {
      box.result = .failure(error)
    }
    done.signal()
  }
  done.wait()
  guard let result = box.result else { throw CancellationError() }
  return try result.get()
}

/// Where the work leaves its result.
/// `@unchecked Sendable`: the semaphore orders the one write before the one read.
private final class ResultBox<Value: Sendable>: @unchecked Sendable {
  var result: Result<Value, any Error>?
}
