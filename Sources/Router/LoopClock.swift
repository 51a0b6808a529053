import Glibc
import NIOCore
import Platform

/// Times as one event loop tells them. The wall clock is asked once a second; in between it goes on with the monotonic
/// one, so that a request costs one call.
struct LoopClock {
  private var wallBase: Int = 0
  private var asked = NIODeadline.uptimeNanoseconds(0)
  /// `Date: Sun, 06 Nov 1994 08:49:37 GMT` with its line end (RFC 9110 section 5.6.7).
  private(set) var dateField: [UInt8] = []
  /// `2026-01-16T15:13:46`.
  private(set) var secondText: [UInt8] = []

  /// Microseconds since 1970 at this moment.
  mutating func wall(_ now: NIODeadline) -> Int {
    let since = now.uptimeNanoseconds &- asked.uptimeNanoseconds
    guard wallBase == 0 || since >= 1_000_000_000 else { return wallBase &+ Int(since / 1000) }
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    // As if asked when the second began, so that the next one is noticed in time.
    asked = .uptimeNanoseconds(now.uptimeNanoseconds &- UInt64(time.tv_nsec))
    wallBase = time.tv_sec &* 1_000_000
    dateField = Self.date(time.tv_sec)
    let stamp = Timestamp(microseconds: Int64(wallBase)).rfc3339
    secondText = Array(stamp.utf8.prefix(19))
    return wallBase &+ time.tv_nsec / 1000
  }

  /// The date of a moment, as an HTTP field.
  static func date(_ second: Int) -> [UInt8] {
    let days: [StaticString] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months: [StaticString] = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    var parts = tm()
    var time = time_t(second)
    gmtime_r(&time, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let day = days[Int(parts.tm_wday) % 7]
    let month = months[Int(parts.tm_mon) % 12]
    let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    return Array("Date: \(day), \(two(parts.tm_mday)) \(month) \(parts.tm_year + 1900) \(clock) GMT\r\n".utf8)
  }
}
