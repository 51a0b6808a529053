/// Who has to wait before the next connection, because logins of this source failed. A value without a clock: the
/// server guards it with its lock.
///
/// Each connection whose logins all failed raises its source's level by one; time takes it down again. From a level on,
/// each further failure costs a pause, twice as long as the one before. A good login clears the source: behind one
/// address there may be an office, and its people prove that they are welcome. Loopback is spared: behind a local TCP
/// proxy everybody comes from there, and who is on the machine already needs no guessing.
struct LoginBackoff {
  struct Limits: Sendable, Equatable {
    /// Failed connections that cost nothing.
    var free = 10
    /// The pause after one failure more; it doubles with each further one.
    var shortest = Duration.seconds(1)
    /// The longest pause; zero turns pauses off.
    var longest = Duration.seconds(300)
    /// How long it takes until one failure is forgotten.
    var forgives = Duration.seconds(30)
    /// Sources that are remembered; of more, the ones with the lowest levels are forgotten.
    var sources = 4096
    var sparesLoopback = true
  }

  private struct Record {
    var level: Double
    var at: ContinuousClock.Instant
    var pausedUntil: ContinuousClock.Instant

    func level(_ now: ContinuousClock.Instant, _ limits: Limits) -> Double {
      max(0, level - (now - at) / limits.forgives)
    }
  }

  private let limits: Limits
  private var records: [String: Record] = [:]

  init(_ limits: Limits) { self.limits = limits }

  /// How many sources are remembered.
  var count: Int { records.count }

  /// How long this source has to wait; `nil` when it may connect now.
  func pause(of source: String, at now: ContinuousClock.Instant) -> Duration? {
    guard let record = records[source], now < record.pausedUntil else { return nil }
    return record.pausedUntil - now
  }

  /// A connection from there ended without a login, after at least one that failed.
  mutating func failed(_ source: String, at now: ContinuousClock.Instant) {
    guard limits.longest > .zero, !(limits.sparesLoopback && Self.isLoopback(source)) else { return }
    if records[source] == nil, records.count >= limits.sources { forgetSome(now) }
    // Above this level the pause is the longest anyhow; a higher one would only take longer to forget.
    let ceiling = Double(limits.free + 12)
    let level = min((records[source]?.level(now, limits) ?? 0) + 1, ceiling)
    let over = Int(level.rounded(.up)) - limits.free
    let pause = over > 0 ? min(limits.shortest * (1 << min(over - 1, 20)), limits.longest) : .zero
    records[source] = Record(level: level, at: now, pausedUntil: now + pause)
  }

  /// A login from there was good.
  mutating func succeeded(_ source: String) { records[source] = nil }

  /// Makes room: all that time has forgiven, else the one with the lowest level.
  private mutating func forgetSome(_ now: ContinuousClock.Instant) {
    records = records.filter { $0.value.level(now, limits) > 0 || now < $0.value.pausedUntil }
    guard records.count >= limits.sources else { return }
    let lowest = records.min { $0.value.level(now, limits) < $1.value.level(now, limits) }
    if let lowest { records[lowest.key] = nil }
  }

  private static func isLoopback(_ source: String) -> Bool {
    source.hasPrefix("127.") || source == "0:0:0:0::/64"  // ::1, as PeerAddress names its source
  }
}
