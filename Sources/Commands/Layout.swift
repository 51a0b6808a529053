import Platform

/// Text in columns and titled blocks, as Heroku's CLI prints them.
enum Layout {
  /// Rows of cells, each column as wide as its longest cell, two spaces between columns, nothing behind the last.
  static func columns(_ rows: [[String]]) -> String {
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
      let line = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      return " " + String(line.joined(separator: "  ").reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }

  /// `=== title`, an empty line, and the block.
  static func titled(_ title: String, _ block: String) -> String { "=== \(title)\n\n" + block }

  /// `Key:    value`, the values under each other.
  static func pairs(_ pairs: [(String, String)]) -> String {
    let width = pairs.map(\.0.count).max() ?? 0
    return pairs.map { key, value in
      "\(key):\(String(repeating: " ", count: width - key.count + 1))\(value)\n"
    }.joined()
  }
}

/// Times of the API (RFC 3339 in UTC) as the CLI prints them.
enum Moment {
  /// `2026-01-18T01:36:38Z` → a moment; `nil` for anything else.
  static func parse(_ text: String) -> Timestamp? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z") else { return nil }
    func number(_ range: Range<Int>) -> Int64? { Int64(String(decoding: bytes[range], as: UTF8.self)) }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19)
    else { return nil }
    // Days from civil (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    return Timestamp(microseconds: (days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000)
  }

  /// `2026/01/18 01:36:38 +0000`; text that is no time stays as it is.
  static func shown(_ text: String) -> String { parse(text)?.commandLine ?? text }

  /// `~ 1h ago`
  static func ago(_ text: String, now: Timestamp = .now) -> String {
    guard let then = parse(text) else { return "" }
    let seconds = max(0, (now.microseconds - then.microseconds) / 1_000_000)
    switch seconds {
    case ..<60: return "~ \(seconds)s ago"
    case ..<3600: return "~ \(seconds / 60)m ago"
    case ..<90_000: return "~ \(seconds / 3600)h ago"
    default: return "~ \(seconds / 86_400)d ago"
    }
  }
}
