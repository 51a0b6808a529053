import CLinux
import Glibc
import Linux
import Platform
import Wire

/// What `run` sends: the request, then standard input and the terminal's size as they come. Threads write the records
/// into a pipe, whose other end is the request's body, so a slow server slows the reading of our input.
final class RunInput: Sendable {
  /// The body of the request. Open until the process ends, which it does with its one run.
  let reader: Int32
  private let writer: Int32
  /// Records up to PIPE_BUF are written whole (pipe(7)), so two threads may share the pipe.
  private static let piece = 4096 - StreamRecord.headerLength

  init(_ request: some Encodable, followsSize: Bool) throws {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("make a pipe") { paas_pipe(&ends) }
    (reader, writer) = (ends[0], ends[1])
    // A server that has gone is seen in the answer, not by this signal.
    signal(SIGPIPE, SIG_IGN)
    let writer = writer
    let first = StreamRecord.split(.stdout, [UInt8](try Wire.encode(request)))
    startThread {
      for record in first where !Self.send(record, to: writer) { return }
      if followsSize { Terminal.onResize { size in _ = Self.send(Self.resize(size.columns, size.rows), to: writer) } }
      Self.forwardInput(to: writer)
    }
  }

  private static func forwardInput(to writer: Int32) {
    var buffer = [UInt8](repeating: 0, count: piece)
    while true {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      guard send(StreamRecord(.stdin, Array(buffer[0..<count])), to: writer) else { return }
    }
    _ = send(StreamRecord(.stdinClosed), to: writer)
  }

  static func resize(_ columns: UInt16, _ rows: UInt16) -> StreamRecord {
    StreamRecord(.resize, [UInt8(columns >> 8), UInt8(columns & 0xFF), UInt8(rows >> 8), UInt8(rows & 0xFF)])
  }

  /// `false` when nobody reads any more.
  private static func send(_ record: StreamRecord, to writer: Int32) -> Bool {
    do throws(SystemError) {
      try Files.writeAll(record.encoded, to: writer, name: "pipe")
      return true
    } catch {
      return false
    }
  }
}
