/// Who may connect while others are still logging in, and how often with one key. Without the cap per source, one idle
/// flood keeps every good login out. A value: the server guards it with its lock.
struct ConnectionLimits {
  enum Refusal: Equatable {
    case total
    case unauthenticated
    case source
    /// Logins from there failed too often.
    case pause(Duration)

    /// What the client is told, for those who run ssh -v.
    var text: String {
      switch self {
      case .total, .unauthenticated: "too many connections; try again in a moment"
      case .source: "too many connections from your address are logging in; try again in a moment"
      case .pause(let left):
        "too many failed logins from your address; try again in \(left.components.seconds + 1) seconds"
      }
    }
  }

  private let limits: SSHLimits
  private var backoff: LoginBackoff
  private var waiting: [String: Int] = [:]
  private var waitingInAll = 0
  private var keys: [String: Int] = [:]
  private var all = 0

  init(_ limits: SSHLimits) {
    self.limits = limits
    backoff = LoginBackoff(limits.backoff)
  }

  /// Counts a new connection, or says why it is refused (it then does not count).
  mutating func admit(_ source: String, at now: ContinuousClock.Instant) -> Refusal? {
    if let left = backoff.pause(of: source, at: now) { return .pause(left) }
    if all >= limits.sessions { return .total }
    if waiting[source, default: 0] >= limits.unauthenticatedPerSource { return .source }
    if waitingInAll >= limits.unauthenticated { return .unauthenticated }
    waiting[source, default: 0] += 1
    waitingInAll += 1
    all += 1
    return nil
  }

  /// A connection that waits to log in.
  struct Waiting {
    /// Counts up with the connections.
    var id: Int
    var source: String
  }

  /// Which connection gives way to a new one when too many log in: the oldest one of the source that has most of them,
  /// so that some sources together cannot keep all others out. Of sources that have as many, the one that came first.
  static func givesWay(_ waiting: [Waiting]) -> Int? {
    let sources = Dictionary(grouping: waiting, by: \.source).values
    let oldest = sources.compactMap { of in of.map(\.id).min().map { (id: $0, count: of.count) } }
    return oldest.max { ($0.count, $1.id) < ($1.count, $0.id) }?.id
  }

  /// A connection that waited is told to end: it is no longer in a newcomer's way.
  mutating func gaveWay(_ source: String) { stopWaiting(source) }

  /// A connection that had given way is over.
  mutating func endedAfterGivingWay() { all -= 1 }

  /// A connection has logged in. False when there are too many with this key: it then still counts as waiting.
  mutating func loggedIn(_ source: String, key: String) -> Bool {
    backoff.succeeded(source)
    guard keys[key, default: 0] < limits.sessionsPerKey else { return false }
    keys[key, default: 0] += 1
    stopWaiting(source)
    return true
  }

  /// A connection is over. `key` is what it logged in with; `failed` that it tried to, and could not.
  mutating func ended(_ source: String, key: String?, failed: Bool, at now: ContinuousClock.Instant) {
    all -= 1
    if let key {
      let left = keys[key, default: 1] - 1
      keys[key] = left > 0 ? left : nil
    } else {
      stopWaiting(source)
      if failed { backoff.failed(source, at: now) }
    }
  }

  private mutating func stopWaiting(_ source: String) {
    waitingInAll -= 1
    let left = waiting[source, default: 1] - 1
    waiting[source] = left > 0 ? left : nil
  }
}
