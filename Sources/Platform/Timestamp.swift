import Glibc

/// A moment in UTC, in microseconds since 1970-01-01. The ledger stores exactly this number.
public struct Timestamp: Hashable, Comparable, Sendable {
  public let microseconds: Int64

  public init(microseconds: Int64) { self.microseconds = microseconds }

  /// The wall clock (`CLOCK_REALTIME`). Durations are never computed from it; use `ContinuousClock`.
  public static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }

  public static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

  /// Year, month, day and time of day in UTC (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  private var civil: (year: Int64, month: Int64, day: Int64, second: Int64, micro: Int64) {
    let seconds = microseconds.floorDivided(by: 1_000_000)
    let days = seconds.floorDivided(by: 86_400)
    let shifted = days + 719_468
    let era = shifted.floorDivided(by: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1,
      seconds - days * 86_400, microseconds - seconds * 1_000_000
    )
  }

  private func rendered(dateSeparator: String, between: String) -> String {
    let (year, month, day, second, _) = civil
    let date = [padded(year, 4), padded(month, 2), padded(day, 2)].joined(separator: dateSeparator)
    let time = [padded(second / 3600, 2), padded(second / 60 % 60, 2), padded(second % 60, 2)].joined(separator: ":")
    return date + between + time
  }

  /// `2026/01/18 01:36:38 +0000`, as Heroku's CLI prints times.
  public var commandLine: String { rendered(dateSeparator: "/", between: " ") + " +0000" }

  /// `2026-01-18T01:36:38Z`, as the HTTP API does (RFC 3339).
  public var rfc3339: String { rendered(dateSeparator: "-", between: "T") + "Z" }

  /// `2026-01-16T15:13:46.677020+00:00`, as log lines do.
  public var logLine: String {
    rendered(dateSeparator: "-", between: "T") + "." + padded(civil.micro, 6) + "+00:00"
  }
}

extension Timestamp: Codable {
  /// Reads the number of microseconds.
  public init(from decoder: any Decoder) throws {
    microseconds = try decoder.singleValueContainer().decode(Int64.self)
  }

  /// Writes the number of microseconds.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(microseconds)
  }
}

private func padded(_ value: Int64, _ width: Int) -> String {
  let text = String(value)
  return String(repeating: "0", count: max(0, width - text.count)) + text
}

extension Int64 {
  /// Division that rounds towards negative infinity, so that moments before 1970 work.
  fileprivate func floorDivided(by divisor: Int64) -> Int64 {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
  }
}
