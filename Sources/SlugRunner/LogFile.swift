import Glibc
import Linux

/// A log in conmon's k8s-file format: `TIME STREAM F text`, or `P` for a part of a line that goes on.
enum LogFile {
  /// Above this a log is rotated: the last one is kept beside it as `.1`.
  static let largest: Int64 = 10 << 20

  /// The texts of the last lines, oldest first.
  static func lastLines(_ count: Int, of path: String) -> [String] {
    // No file: nothing was ever written.
    guard let tail = try? tail(of: path, bytes: 64 << 10) else { return [] }
    return Array(lines(in: tail).suffix(count))
  }

  /// The texts of all lines. conmon cuts a line wherever one of its reads from the app's pipe ended.
  static func lines(in log: String) -> [String] {
    var lines: [String] = []
    var part = ""
    for line in log.split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
      guard fields.count == 4, fields[2] == "F" || fields[2] == "P" else { continue }
      part += fields[3]
      if fields[2] == "F" {
        lines.append(part)
        part = ""
      }
    }
    return part.isEmpty ? lines : lines + [part]
  }

  private static func tail(of path: String, bytes: Int) throws -> String {
    let file = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    let size = try checked("seek in '\(path)'") { lseek(file, 0, SEEK_END) }
    let start = max(0, size - bytes)
    var buffer = [UInt8](repeating: 0, count: size - start)
    let got = try checked("read '\(path)'") { pread(file, &buffer, buffer.count, start) }
    let text = String(decoding: buffer[0..<got], as: UTF8.self)
    guard start > 0, let newline = text.firstIndex(of: "\n") else { return text }
    return String(text[text.index(after: newline)...])
  }

  /// Renames a log that has grown too large, and has its writer open a new one: conmon takes `2 0 0` on the bundle's
  /// control pipe as "open the log again".
  static func rotate(_ path: String, bundle: String) throws {
    var info = stat()
    guard stat(path, &info) == 0, info.st_size > largest else { return }
    let control = try checked("open '\(bundle)/ctl'") { open("\(bundle)/ctl", O_WRONLY | O_NONBLOCK | O_CLOEXEC) }
    defer { close(control) }
    try checked("rename '\(path)'") { rename(path, path + ".1") }
    try Files.writeAll(Array("2 0 0\n".utf8), to: control, name: "\(bundle)/ctl")
  }
}
