import FoundationEssentials
import Glibc
import Linux
import Platform
import Synchronization
import Wire

/// The stored output of one build: `builds/ID/output.records`, written once, read by anybody from any offset while it
/// grows. Ends with its exit record.
final class BuildOutput: Sendable {
  let path: String
  private let bell = Bell()
  /// The descriptor, -1 once the output has ended.
  private let file: Mutex<Int32>

  /// Opens the file for more records; makes it if needed.
  init(path: String) throws(SystemError) {
    self.path = path
    let descriptor = try checked("open '\(path)'") { open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }
    file = Mutex(descriptor)
  }

  deinit { file.withLock { if $0 >= 0 { close($0) } } }

  /// Adds text of the build. After a failed write the rest of the output is lost, but not the build.
  func write(_ bytes: [UInt8]) { append(StreamRecord.split(.stdout, bytes)) }

  /// Adds the exit record; nothing can follow it.
  func finish(_ status: Int32, _ exit: StreamExit) {
    append([.exit(status, details: (try? Wire.encode(exit)).map { Array($0) } ?? [])])
    file.withLock { file in
      if file >= 0 { close(file) }
      file = -1
    }
    bell.ring()
  }

  var hasEnded: Bool { file.withLock { $0 < 0 } }

  private func append(_ records: [StreamRecord]) {
    file.withLock { file in
      guard file >= 0 else { return }
      // A full disk must not end the deploy that this only tells about.
      for record in records { try? Files.writeAll(record.encoded, to: file, name: path) }
    }
    bell.ring()
  }

  /// Everything from the offset on, then what is added, until the end.
  static func follow(_ path: String, from offset: Int, live: BuildOutput?) -> AsyncThrowingStream<[UInt8], any Error> {
    let reader = OutputReader(path: path, offset: offset)
    return AsyncThrowingStream {
      while true {
        let rings = live?.bell.rings ?? 0
        let mayGrow = live.map { !$0.hasEnded } ?? false
        let bytes = try await blocking { try reader.next() }
        if !bytes.isEmpty { return bytes }
        guard mayGrow, let live, !Task.isCancelled else { return nil }
        await live.bell.wait(after: rings, until: .now + .seconds(60))
      }
    }
  }

  /// After a crash: cuts off a record that was not written whole. `true` when the exit record is there.
  static func repair(_ path: String) throws -> Bool {
    let bytes = try Files.read(path, limit: 1 << 30)
    var parser = StreamRecordParser()
    parser.append(bytes)
    var length = 0
    while let record = try parser.next() {
      length += record.encoded.count
      if record.kind == .exit { return true }
    }
    if length < bytes.count { try checked("cut '\(path)'") { truncate(path, length) } }
    return false
  }
}

/// Reads a file piece by piece; one reader at a time.
private final class OutputReader: Sendable {
  private let path: String
  private let offset: Mutex<Int>

  init(path: String, offset: Int) {
    self.path = path
    self.offset = Mutex(max(0, offset))
  }

  /// Up to 64 KiB; empty at the present end.
  func next() throws -> [UInt8] {
    let file = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    return try offset.withLock { offset in
      let count = try checked("read '\(path)'") { pread(file, &buffer, buffer.count, offset) }
      offset += count
      return Array(buffer[0..<count])
    }
  }
}
