internal import Platform

/// What a build prints on its way to the pusher, and the end of it as evidence.
struct BuildOutput {
  private let limit: Int
  private var passed = 0
  private var line: [UInt8] = []
  private var lines: [String] = []

  init(limit: Int) { self.limit = limit }

  /// Takes a chunk and returns what is to be passed on: nothing once the limit is reached and said.
  mutating func take(_ chunk: UnsafeRawBufferPointer) -> [UInt8] {
    for byte in chunk { add(byte) }
    guard passed <= limit else { return [] }
    passed += chunk.count
    if passed <= limit { return Array(chunk) }
    let notice = "output is longer than \(humanSize(Int64(limit))), the rest is dropped"
    return Array("\n\(PushText.error(notice))".utf8)
  }

  /// The last lines that are not blank, oldest first.
  var lastLines: [String] { line.isEmpty ? lines : Array((lines + [Self.shown(line)]).suffix(20)) }

  private mutating func add(_ byte: UInt8) {
    guard byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else {
      if line.count < 400 { line.append(byte) }
      return
    }
    let text = Self.unmarked(Self.shown(line))
    line.removeAll(keepingCapacity: true)
    if text.allSatisfy(\.isWhitespace) { return }
    lines.append(text)
    if lines.count > 20 { lines.removeFirst() }
  }

  /// Without the seven columns that mark an error or a detail: as evidence it is marked again.
  private static func unmarked(_ text: String) -> String {
    text.hasPrefix(" !     ") || text.hasPrefix("       ") ? String(text.dropFirst(7)) : text
  }

  /// Without control characters, so that evidence cannot play with a terminal.
  private static func shown(_ line: [UInt8]) -> String {
    String(
      String.UnicodeScalarView(
        String(decoding: line, as: UTF8.self).unicodeScalars.filter { scalar in
          scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) || scalar == "\t"
        }))
  }
}
