import Glibc
import Linux
import Platform

/// Reads an app's log files together, by time. Belongs to one thread; its calls block.
struct LogReader: Sendable {
  /// How much of a file's end is looked at for its last lines.
  static let window = 4 << 20

  private struct Position: Sendable {
    var offset = 0
    var inode: UInt64 = 0
    /// Of a line whose end is not written yet.
    var rest: [UInt8] = []
    /// Text of partial lines that the next one goes on with.
    var text = ""
  }

  let directory: String
  let filter: LogFilter
  private var positions: [LogFile: Position] = [:]

  init(directory: String, filter: LogFilter) {
    self.directory = directory
    self.filter = filter
  }

  /// The last lines of all files. Call it first.
  mutating func last(_ count: Int) -> [String] {
    Array(read(fromEnd: Self.window).suffix(count))
  }

  /// What was added since.
  mutating func next() -> [String] { read(fromEnd: nil) }

  private mutating func read(fromEnd window: Int?) -> [String] {
    guard let names = try? Files.names(in: directory) else { return [] }  // no log yet
    var lines: [(at: Timestamp, text: String)] = []
    for file in names.compactMap({ LogFile($0) }).sorted(by: { $0.name < $1.name }) {
      for line in read(file, fromEnd: window) {
        if let text = file.formatted(line, filter) { lines.append((line.at, text)) }
      }
    }
    // Equal times keep their order within a file.
    return lines.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element.text)
  }

  private mutating func read(_ file: LogFile, fromEnd window: Int?) -> [LogLine] {
    let descriptor = open("\(directory)/\(file.name)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return [] }
    var position = positions[file] ?? Position()
    let size = Int(info.st_size)
    if position.inode != UInt64(info.st_ino) || size < position.offset {
      position = Position(offset: window.map { max(0, size - $0) } ?? 0, inode: UInt64(info.st_ino))
    }
    let startsInside = position.offset > 0 && positions[file] == nil
    var bytes = position.rest + Self.read(descriptor, from: position.offset, to: size)
    position.offset = size
    if startsInside { bytes = Array(bytes.drop { $0 != UInt8(ascii: "\n") }.dropFirst()) }
    let end = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    position.rest = Array(bytes[end...])
    let lines = Self.joined(bytes[..<end], &position.text)
    positions[file] = position
    return lines
  }

  private static func read(_ descriptor: Int32, from: Int, to end: Int) -> [UInt8] {
    guard end > from else { return [] }
    var bytes = [UInt8](repeating: 0, count: end - from)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress.map { $0 + count }, $0.count - count, from + count)
      }
      if got <= 0 { break }
      count += got
    }
    return Array(bytes[..<count])
  }

  /// Whole lines; partial ones are put together with what follows them.
  private static func joined(_ bytes: ArraySlice<UInt8>, _ text: inout String) -> [LogLine] {
    var result: [LogLine] = []
    for raw in bytes.split(separator: UInt8(ascii: "\n")) {
      guard var line = LogLine(Substring(String(decoding: raw, as: UTF8.self))) else { continue }
      if line.isPartial, text.utf8.count < 64 << 10 {
        text += line.text
      } else {
        line.text = text + line.text
        text = ""
        result.append(line)
      }
    }
    return result
  }
}
