import CLinux
import Glibc
import Linux

/// The two ends of a pipe, close-on-exec. The write end is closed once; the read end by ``readToEnd()``.
struct Pipe: Sendable {
  let read: Int32
  let write: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("make a pipe") { paas_pipe(&ends) }
    read = ends[0]
    write = ends[1]
  }

  func closeWriteEnd() { close(write) }

  /// Blocks until the last writer is gone; keeps the first 64 KiB as one line of text. Closes the read end.
  func readToEnd() -> String {
    defer { close(read) }
    var kept: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = Glibc.read(read, &buffer, buffer.count)
      if count == 0 || (count < 0 && errno != EINTR) { break }
      if count > 0, kept.count < 64 << 10 { kept.append(contentsOf: buffer[0..<count]) }
    }
    return String(decoding: kept, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
  }
}
