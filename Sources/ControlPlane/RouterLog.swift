import Linux
import Platform
import Wire

/// Turns a body of the router's log lines into what is appended to each app's `router.log`: bytes in, bytes out, one
/// write per app. A busy router sends thousands of lines a second, and a `String` per line would cost more than routing.
struct RouterLog: Sendable {
  /// What is to be added, by app.
  private(set) var batches: [AppID: [UInt8]] = [:]
  private var lastSecond: (second: Int64, text: [UInt8]) = (.min, [])
  private var lastApp: (bytes: [UInt8], app: AppID?) = ([], nil)

  /// Lines as ``RouterLogLine/encoded`` writes them; what is not one is left out.
  init(_ body: [UInt8]) {
    for line in body.split(separator: UInt8(ascii: "\n")) { add(line) }
  }

  private mutating func add(_ line: ArraySlice<UInt8>) {
    guard line.count > 38, line[line.startIndex + 36] == UInt8(ascii: " "), let app = app(line.prefix(36)) else {
      return
    }
    let rest = line.dropFirst(37)
    guard let space = rest.prefix(20).firstIndex(of: UInt8(ascii: " ")), let micros = Self.number(rest[..<space]) else {
      return
    }
    let time = time(micros)
    batches[app, default: []].append(contentsOf: time)
    batches[app]?.append(contentsOf: " stdout F ".utf8)
    // One line of text stays one line: nothing in it may end it, or look like a control sequence to a terminal.
    batches[app]?.append(contentsOf: rest[(space + 1)...].lazy.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 })
    batches[app]?.append(UInt8(ascii: "\n"))
  }

  private mutating func app(_ bytes: ArraySlice<UInt8>) -> AppID? {
    if bytes.elementsEqual(lastApp.bytes) { return lastApp.app }
    lastApp = (Array(bytes), AppID(String(decoding: bytes, as: UTF8.self)))
    return lastApp.app
  }

  /// `2026-01-16T15:13:46.677020+00:00`; the second's part is made once per second.
  private mutating func time(_ micros: Int64) -> [UInt8] {
    let (second, rest) = micros.quotientAndRemainder(dividingBy: 1_000_000)
    if lastSecond.second != second {
      lastSecond = (second, Array(Timestamp(microseconds: second * 1_000_000).logLine.utf8.prefix(20)))
    }
    var digits = [UInt8](repeating: 48, count: 6)
    var left = rest
    for index in digits.indices.reversed() {
      digits[index] += UInt8(left % 10)
      left /= 10
    }
    return lastSecond.text + digits + Array("+00:00".utf8)
  }

  /// Microseconds from 1970 to the year 9999.
  private static func number(_ bytes: ArraySlice<UInt8>) -> Int64? {
    guard (1...18).contains(bytes.count), bytes.allSatisfy({ (48...57).contains($0) }) else { return nil }
    let value = bytes.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) }
    return value < 253_402_300_800_000_000 ? value : nil
  }
}
