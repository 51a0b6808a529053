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

  /// Blocks until the last writer is gone or the time has come; keeps the first 64 KiB as one line of text. Closes the
  /// read end.
  func readToEnd(until deadline: ContinuousClock.Instant? = nil) -> String {
    defer { close(read) }
    var kept: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      if let deadline, !waitToRead(read, until: deadline) { break }
      let count = Glibc.read(read, &buffer, buffer.count)
      if count == 0 || (count < 0 && errno != EINTR) { break }
      if count > 0, kept.count < 64 << 10 { kept.append(contentsOf: buffer[0..<count]) }
    }
    return String(decoding: kept, as: UTF8.self).split(separator: "\n").joined(separator: "; ")
  }
}

/// Blocks until the descriptor can be read or is at its end; `false` when the time comes first.
public func waitToRead(_ descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
  while true {
    let left = (deadline - .now).components
    let milliseconds = max(0, left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000)
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let count = poll(&waiting, 1, Int32(clamping: milliseconds))
    if count > 0 { return true }
    if count == 0 || errno != EINTR { return false }
  }
}
