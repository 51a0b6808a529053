import Testing
import Wire

@Suite("Stream records")
struct StreamRecordTests {
  @Test("records survive any cutting of their bytes", arguments: [1, 2, 3, 7, 64, 1000])
  func anyPieces(size: Int) throws {
    let sent =
      StreamRecord.split(.stdout, Array(repeating: UInt8(7), count: 200)) + [
        StreamRecord(.keepAlive), StreamRecord(.stderr, Array("x\n".utf8)), .exit(3, details: Array("{}".utf8)),
      ]
    let bytes = sent.flatMap(\.encoded)
    var parser = StreamRecordParser()
    var received: [StreamRecord] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      parser.append(bytes[start..<min(start + size, bytes.count)])
      while let record = try parser.next() { received.append(record) }
    }
    #expect(received == sent)
    #expect(received.last?.exitStatus == 3)
  }

  @Test("data longer than a record becomes several")
  func split() {
    let records = StreamRecord.split(.stdout, Array(repeating: UInt8(1), count: StreamRecord.maximumPayload * 2 + 1))
    #expect(records.map(\.payload.count) == [StreamRecord.maximumPayload, StreamRecord.maximumPayload, 1])
  }

  @Test("an unknown kind ends the stream")
  func unknownKind() {
    var parser = StreamRecordParser()
    parser.append([99, 0, 0, 0, 0, 0, 0, 0])
    #expect(throws: StreamRecordError.unknownKind(99)) { try parser.next() }
  }

  @Test("a length above the limit is refused before its bytes are waited for")
  func tooLong() {
    var parser = StreamRecordParser()
    parser.append([1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(throws: StreamRecordError.tooLong(0xFFFF_FFFF)) { try parser.next() }
  }

  @Test("reserved bytes must be zero")
  func reserved() {
    var parser = StreamRecordParser()
    parser.append([1, 1, 0, 0, 0, 0, 0, 0])
    #expect(throws: StreamRecordError.reservedBytes) { try parser.next() }
  }

  @Test("a negative status comes back as it went")
  func negative() {
    #expect(StreamRecord.exit(-1).exitStatus == -1)
    #expect(StreamRecord(.exit, [0, 0]).exitStatus == nil)
  }
}
