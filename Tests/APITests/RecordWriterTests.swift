import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import Testing
import Wire

@testable import API

@Suite("A stream of records")
struct RecordWriterTests {
  /// Where the records of one response go.
  private final class Sink: Sendable {
    let bytes = Mutex<[UInt8]>([])
    let isFinished = Mutex(false)

    func records() throws -> [StreamRecord] {
      var parser = StreamRecordParser()
      parser.append(bytes.withLock { $0 })
      var records: [StreamRecord] = []
      while let record = try parser.next() { records.append(record) }
      return records
    }
  }

  private struct Writer: ResponseBodyWriter {
    let sink: Sink
    var isGone = false
    struct Gone: Error {}

    mutating func write(_ buffer: ByteBuffer) async throws {
      if isGone { throw Gone() }
      sink.bytes.withLock { $0 += buffer.readableBytesView }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws { sink.isFinished.withLock { $0 = true } }
  }

  @Test("says that it lives while nothing else is to be said, and ends with its work")
  func keepAlive() async throws {
    let sink = Sink()
    let response = RecordWriter.response(keepAlive: .milliseconds(5)) { writer in
      try await writer.write(.stdout, Array("one".utf8))
      while try sink.records().count < 3 { try await Task.sleep(for: .milliseconds(1)) }
      try await writer.write(.exit(0))
    }
    try await response.body.write(Writer(sink: sink))
    let records = try sink.records()
    #expect(records.first == StreamRecord(.stdout, Array("one".utf8)))
    #expect(records.last == .exit(0))
    #expect(records.dropFirst().dropLast().allSatisfy { $0.kind == .keepAlive })
    #expect(sink.isFinished.withLock { $0 })
  }

  @Test("a client that has gone ends the work, though the work itself says nothing")
  func gone() async throws {
    let wasCancelled = Mutex(false)
    let response = RecordWriter.response(keepAlive: .milliseconds(5)) { _ in
      do {
        try await Task.sleep(for: .seconds(600))
      } catch {
        wasCancelled.withLock { $0 = true }
        throw error
      }
    }
    await #expect(throws: Writer.Gone.self) { try await response.body.write(Writer(sink: Sink(), isGone: true)) }
    #expect(wasCancelled.withLock { $0 })
  }
}
