/// One piece of a long stream (build output, `run`, logs): a kind byte, three zero bytes, the payload's length as
/// 32 bits big-endian, the payload. 64 KiB at most; longer data is several records.
public struct StreamRecord: Sendable, Equatable {
  public enum Kind: UInt8, Sendable {
    case stdout = 1
    case stderr = 2
    /// A line that a later line replaces, for terminals.
    case progress = 3
    /// Says that the peer lives. Never stored, so it does not count in an offset.
    case keepAlive = 4
    /// Columns and rows, 16 bits big-endian each.
    case resize = 5
    /// One byte: the signal's number.
    case signal = 6
    /// Exit status as 32 bits big-endian, then optionally a JSON ``StreamExit``. Always the last record.
    case exit = 7
    case stdin = 8
    case stdinClosed = 9
  }

  public static let maximumPayload = 64 << 10
  public static let headerLength = 8

  public var kind: Kind
  public var payload: [UInt8]

  public init(_ kind: Kind, _ payload: [UInt8] = []) {
    self.kind = kind
    self.payload = payload
  }

  /// The record of an ended stream.
  public static func exit(_ status: Int32, details: [UInt8] = []) -> StreamRecord {
    StreamRecord(.exit, bigEndian(UInt32(bitPattern: status)) + details)
  }

  /// Of an ``Kind/exit`` record: the status; `nil` when the payload is cut short.
  public var exitStatus: Int32? {
    guard kind == .exit, payload.count >= 4 else { return nil }
    return Int32(bitPattern: payload[0..<4].reduce(0) { $0 << 8 | UInt32($1) })
  }

  /// The bytes on the wire. The payload is cut at ``maximumPayload``; use ``split(_:_:)`` for longer data.
  public var encoded: [UInt8] {
    let body = payload.prefix(Self.maximumPayload)
    return [kind.rawValue, 0, 0, 0] + bigEndian(UInt32(body.count)) + body
  }

  /// As many records as the data needs.
  public static func split(_ kind: Kind, _ data: some Collection<UInt8>) -> [StreamRecord] {
    var rest = data[...]
    var records: [StreamRecord] = []
    while !rest.isEmpty {
      records.append(StreamRecord(kind, Array(rest.prefix(maximumPayload))))
      rest = rest.dropFirst(maximumPayload)
    }
    return records
  }
}

private func bigEndian(_ value: UInt32) -> [UInt8] {
  [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
}

/// What went wrong in a stream of records.
public enum StreamRecordError: Error, Equatable {
  case unknownKind(UInt8)
  case tooLong(Int)
  case reservedBytes
}

/// Puts records together again from bytes that arrive in any pieces.
public struct StreamRecordParser: Sendable {
  private var buffer: [UInt8] = []
  private var start = 0

  public init() {}

  public mutating func append(_ bytes: some Sequence<UInt8>) {
    if start > 0, start == buffer.count || start > StreamRecord.maximumPayload {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next whole record; `nil` until more bytes arrive. Throws ``StreamRecordError``: the stream cannot go on.
  public mutating func next() throws(StreamRecordError) -> StreamRecord? {
    guard buffer.count - start >= StreamRecord.headerLength else { return nil }
    let head = buffer[start..<start + StreamRecord.headerLength]
    guard let kind = StreamRecord.Kind(rawValue: head[start]) else { throw .unknownKind(head[start]) }
    guard head[start + 1] == 0, head[start + 2] == 0, head[start + 3] == 0 else { throw .reservedBytes }
    let length = head.suffix(4).reduce(0) { $0 << 8 | Int($1) }
    guard length <= StreamRecord.maximumPayload else { throw .tooLong(length) }
    guard buffer.count - start >= StreamRecord.headerLength + length else { return nil }
    let body = start + StreamRecord.headerLength
    start = body + length
    return StreamRecord(kind, Array(buffer[body..<body + length]))
  }
}
