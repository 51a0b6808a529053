/// How long to wait before a process that crashed after it was up is started again: 1 s, doubled with each crash up
/// to 5 minutes, and 1 s again after 10 minutes up.
public struct RestartPolicy: Sendable, Hashable, Codable {
  public static let first = Duration.seconds(1)
  public static let longest = Duration.seconds(300)
  public static let steady = Duration.seconds(600)

  /// Crashes in a row, none of which followed a steady time up.
  public private(set) var crashes = 0

  public init() {}

  /// Counts a crash after `uptime` (zero when it did not come up this time); returns the delay before the next start.
  public mutating func crashed(after uptime: Duration) -> Duration {
    if uptime >= Self.steady { crashes = 0 }
    crashes += 1
    // 2^9 s is past the longest delay already.
    return min(Self.longest, Self.first * (1 << min(crashes - 1, 9)))
  }
}
