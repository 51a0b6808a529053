import Platform

/// One line of a log file in conmon's k8s-file format: `2026-01-16T15:13:46.677020+00:00 stdout F text`.
struct LogLine: Sendable, Equatable {
  var at: Timestamp
  /// `P` in the file: the next line goes on with this one.
  var isPartial: Bool
  var text: String

  init(at: Timestamp, isPartial: Bool = false, text: String) {
    self.at = at
    self.isPartial = isPartial
    self.text = text
  }

  /// `nil` for a line that is not in the format.
  init?(_ line: Substring) {
    let parts = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count >= 3, let at = Timestamp(rfc3339: parts[0]), parts[2] == "F" || parts[2] == "P" else {
      return nil
    }
    self.init(at: at, isPartial: parts[2] == "P", text: parts.count > 3 ? String(parts[3]) : "")
  }

  /// As it stands in the file, with its line end. Line ends within the text become spaces.
  var stored: String {
    "\(at.logLine) stdout F \(String(text.map { $0.isNewline ? " " : $0 }))\n"
  }
}

/// Where a log file's lines come from, read from its name: `web.1.ID.log`, `paas.log`, `router.log`.
struct LogFile: Sendable, Hashable {
  var name: String
  var source: LogFilter.Source
  /// `web.1`; of `paas.log` each line says it.
  var process: String

  init?(_ name: String) {
    self.name = name
    switch name {
    case "paas.log": (source, process) = (.paas, "api")
    case "router.log": (source, process) = (.router, "router")
    default:
      guard let range = name.firstRange(of: ".log") else { return nil }
      let stem = name[..<range.lowerBound]
      guard stem.utf8.count > 37, InstanceID(String(stem.suffix(36))) != nil else { return nil }
      (source, process) = (.app, String(stem.dropLast(37)))
    }
  }

  /// `2026-… app[web.1]: text`, or `nil` when the filter leaves it out. Lines of paas.log may begin with a process and
  /// a tab.
  func formatted(_ line: LogLine, _ filter: LogFilter) -> String? {
    var (process, text) = (process, line.text)
    if source == .paas, let tab = text.firstIndex(of: "\t") {
      (process, text) = (String(text[..<tab]), String(text[text.index(after: tab)...]))
    }
    if let wanted = filter.source, wanted != source { return nil }
    if let wanted = filter.process, wanted != process, !process.hasPrefix(wanted + ".") { return nil }
    return "\(line.at.logLine) \(source == .app ? "app" : "paas")[\(process)]: \(text)"
  }
}

extension Timestamp {
  /// RFC 3339 with any offset and any number of decimals; `nil` for anything else.
  init?(rfc3339 text: Substring) {
    let bytes = Array(text.utf8)
    func number(_ from: Int, _ count: Int) -> Int64? {
      guard from + count <= bytes.count, bytes[from..<from + count].allSatisfy({ (48...57).contains($0) }) else {
        return nil
      }
      return bytes[from..<from + count].reduce(0) { $0 * 10 + Int64($1 - 48) }
    }
    guard bytes.count >= 20, let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
      let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2), (1...12).contains(month),
      (1...31).contains(day)
    else { return nil }
    var (index, micros, scale) = (19, Int64(0), Int64(100_000))
    if bytes[index] == UInt8(ascii: ".") {
      index += 1
      while index < bytes.count, (48...57).contains(bytes[index]) {
        micros += Int64(bytes[index] - 48) * scale
        scale /= 10
        index += 1
      }
    }
    guard index < bytes.count else { return nil }
    var offset: Int64 = 0
    if bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") {
      guard let hours = number(index + 1, 2), let minutes = number(index + 4, 2) else { return nil }
      offset = (hours * 60 + minutes) * (bytes[index] == UInt8(ascii: "-") ? -1 : 1)
    } else if bytes[index] != UInt8(ascii: "Z") {
      return nil
    }
    let days = Self.days(year, month, day)
    let seconds = days * 86_400 + hour * 3600 + (minute - offset) * 60 + second
    self.init(microseconds: seconds * 1_000_000 + micros)
  }

  /// Days since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": days_from_civil).
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}
