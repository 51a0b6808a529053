import Glibc
import Linux
import Synchronization

/// A pipe whose ends are closed once each.
final class Pipe: Sendable {
  let reader: Int32
  let writer: Int32
  private let isOpen = Mutex((reader: true, writer: true))

  init() throws {
    var ends: [Int32] = [-1, -1]
    try checked("make a pipe") { pipe(&ends) }
    (reader, writer) = (ends[0], ends[1])
  }

  func write(_ text: String) throws { try Files.writeAll(Array(text.utf8), to: writer, name: "pipe") }

  func closeReader() {
    isOpen.withLock {
      if $0.reader { close(reader) }
      $0.reader = false
    }
  }

  func closeWriter() {
    isOpen.withLock {
      if $0.writer { close(writer) }
      $0.writer = false
    }
  }

  deinit {
    closeReader()
    closeWriter()
  }
}
