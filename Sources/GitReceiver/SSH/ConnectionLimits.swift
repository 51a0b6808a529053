/// Who may connect while others are still logging in. Without the cap per source, one idle flood keeps every good
/// login out. A value: the server guards it with its lock.
struct ConnectionLimits {
  struct Limits: Sendable {
    /// Connections that have not logged in, from everywhere and from one source.
    var unauthenticated = 128
    var unauthenticatedPerSource = 16
    /// All connections.
    var total = 1024
  }

  enum Refusal: String { case total, unauthenticated, source }

  private let limits: Limits
  private var waiting: [String: Int] = [:]
  private var waitingInAll = 0
  private var all = 0

  init(_ limits: Limits) { self.limits = limits }

  /// Counts a new connection, or says why it is refused (it then does not count).
  mutating func admit(_ source: String) -> Refusal? {
    if all >= limits.total { return .total }
    if waitingInAll >= limits.unauthenticated { return .unauthenticated }
    if waiting[source, default: 0] >= limits.unauthenticatedPerSource { return .source }
    waiting[source, default: 0] += 1
    waitingInAll += 1
    all += 1
    return nil
  }

  mutating func loggedIn(_ source: String) {
    waitingInAll -= 1
    let left = waiting[source, default: 1] - 1
    waiting[source] = left > 0 ? left : nil
  }

  mutating func ended(_ source: String, loggedIn: Bool) {
    if !loggedIn { self.loggedIn(source) }
    all -= 1
  }
}
