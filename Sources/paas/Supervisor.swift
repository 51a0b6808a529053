import Glibc
import Linux
import Logging

/// Keeps a role alive: starts it, waits for its end, starts it again with a growing delay.
actor Supervisor {
  enum State: Equatable {
    case idle
    case running(ProcessIdentity)
    case waiting
    case stopped
  }

  /// A role that was started, or found alive: who it is, and how to wait for its end, which says its exit status, or
  /// `nil` when only its parent would know.
  struct Running: Sendable {
    var identity: ProcessIdentity
    var ended: @Sendable () async -> Int32?
  }

  /// What became of an exchange.
  enum Exchange {
    /// The present one is watched no more, and is the caller's to end; `nil` when there was none.
    case done(old: Running?)
    /// The supervisor has stopped: the new one is the caller's to end.
    case stopped
  }

  private(set) var state = State.idle
  /// How often the role has ended by itself.
  private(set) var ends = 0
  private let name: String
  private let start: @Sendable () async throws -> Running
  private let logger: Logger
  private var loop: Task<Void, Never>?
  private var running: Running?
  /// Which of the roles that followed each other is watched; one that was exchanged is not started again.
  private var turn = 0

  init(name: String, logger: Logger, start: @escaping @Sendable () async throws -> Running) {
    self.name = name
    self.logger = logger
    self.start = start
  }

  var identity: ProcessIdentity? {
    if case .running(let identity) = state { identity } else { nil }
  }

  /// Starts the role, or takes one that lives already. Throws when the very first start fails.
  func begin(adopting found: Running? = nil) async throws {
    let first: Running
    if let found { first = found } else { first = try await start() }
    watch(first)
  }

  /// Watches another one from now on, that runs already.
  func exchange(for new: Running) -> Exchange {
    if state == .stopped { return .stopped }
    let old = if case .running = state { running } else { Running?.none }
    watch(new)
    return .done(old: old)
  }

  private func watch(_ next: Running) {
    state = .running(next.identity)
    running = next
    turn += 1
    let turn = turn
    loop = Task { await self.keepAlive(next, turn) }
  }

  private func isOver(_ turn: Int) -> Bool { state == .stopped || self.turn != turn }

  private func keepAlive(_ first: Running, _ turn: Int) async {
    var running = first
    var delay = Duration.milliseconds(100)
    while !isOver(turn) {
      let since = ContinuousClock.now
      let status = await running.ended()
      guard !isOver(turn) else { return }
      logger.error(
        "role ended, starting it again",
        metadata: [
          "role": "\(name)", "pid": "\(running.identity.pid)", "status": "\(status.map(String.init) ?? "unknown")",
        ])
      state = .waiting
      ends += 1
      delay = .now - since > .seconds(10) ? .milliseconds(100) : min(delay * 2, .seconds(5))
      guard let next = await restart(after: delay, turn) else { return }
      running = next
      self.running = next
      state = .running(next.identity)
    }
  }

  /// Tries until a start succeeds; `nil` when the role is stopped meanwhile.
  private func restart(after first: Duration, _ turn: Int) async -> Running? {
    var delay = first
    while !isOver(turn) {
      try? await Task.sleep(for: delay)  // cancelled: the loop condition decides
      guard !isOver(turn) else { return nil }
      do {
        let next = try await start()
        guard isOver(turn) else { return next }
        // Meanwhile somebody stopped us, or brought another one.
        next.identity.signal(SIGTERM)
        Task { _ = await next.ended() }
        return nil
      } catch {
        logger.error("role does not start", metadata: ["role": "\(name)", "error": "\(error)"])
        delay = min(delay * 2, .seconds(5))
      }
    }
    return nil
  }

  /// Ends the role: SIGTERM, then SIGKILL after the grace time. It is not started again.
  func stop(grace: Duration) async {
    let before = state
    state = .stopped
    loop?.cancel()
    guard case .running(let identity) = before, identity.signal(SIGTERM) else { return }
    if await !identity.ended(within: grace) { identity.signal(SIGKILL) }
    _ = await identity.ended(within: .seconds(5))
  }

  /// Leaves the role alone from now on, alive.
  func letGo() {
    state = .stopped
    loop?.cancel()
  }
}
