import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import Wire

/// Writes one stream of records, from several tasks, each record whole. A write waits while the client is slow.
actor RecordWriter {
  /// Hummingbird's writer stands for a `NIOAsyncChannelOutboundWriter`, which may be used from any task; only the
  /// existential hides that it is Sendable. No lock is needed.
  private struct Shared: @unchecked Sendable {
    let writer: any ResponseBodyWriter

    func write(_ bytes: ByteBuffer) async throws {
      var writer = writer
      try await writer.write(bytes)
    }
  }

  private let shared: Shared
  private var lastWrite = ContinuousClock.now

  private init(_ shared: Shared) { self.shared = shared }

  /// Sends one record; throws when the client has gone.
  func write(_ record: StreamRecord) async throws {
    lastWrite = .now
    try await shared.write(ByteBuffer(bytes: record.encoded))
  }

  /// Sends data in as many records as it needs.
  func write(_ kind: StreamRecord.Kind, _ data: some Collection<UInt8> & Sendable) async throws {
    for record in StreamRecord.split(kind, data) { try await write(record) }
  }

  /// Says every few seconds that we live, and finds out that the client does not. Ends by throwing.
  private func keepAlive(every interval: Duration) async throws {
    while true {
      try await Task.sleep(for: interval)
      if ContinuousClock.now - lastWrite >= interval { try await write(StreamRecord(.keepAlive)) }
    }
  }

  /// A response whose body is what `body` writes; between its records come keep-alives. When the client goes, `body`
  /// is cancelled.
  static func response(
    keepAlive interval: Duration = .seconds(5), _ body: @escaping @Sendable (RecordWriter) async throws -> Void
  ) -> Response {
    let stream = ResponseBody { raw in
      let writer = RecordWriter(Shared(writer: raw))
      try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
          try await body(writer)
          return true
        }
        group.addTask {
          try await writer.keepAlive(every: interval)
          return false
        }
        defer { group.cancelAll() }
        while let isDone = try await group.next() { if isDone { break } }
      }
      try await raw.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: "application/vnd.paas.records"], body: stream)
  }
}
