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

  /// A role that was started, or found alive: who it is, and how to wait for its end.
  struct Running: Sendable {
    var identity: ProcessIdentity
    var ended: @Sendable () async -> Void
  }

  private(set) var state = State.idle
  /// How often the role has ended by itself.
  private(set) var ends = 0
  private let name: String
  private let start: @Sendable () throws -> Running
  private let logger: Logger
  private var loop: Task<Void, Never>?

  init(name: String, logger: Logger, start: @escaping @Sendable () throws -> Running) {
    self.name = name
    self.logger = logger
    self.start = start
  }

  var pid: Int32? {
    if case .running(let identity) = state { identity.pid } else { nil }
  }

  /// Starts the role, or takes one that lives already. Throws when the very first start fails.
  func begin(adopting found: Running? = nil) throws {
    let first = try found ?? start()
    state = .running(first.identity)
    loop = Task { await self.keepAlive(first) }
  }

  private func keepAlive(_ first: Running) async {
    var running = first
    var delay = Duration.milliseconds(100)
    while state != .stopped {
      let since = ContinuousClock.now
      await running.ended()
      guard state != .stopped else { return }
      logger.error("role ended, starting it again", metadata: ["role": "\(name)", "pid": "\(running.identity.pid)"])
      state = .waiting
      ends += 1
      delay = .now - since > .seconds(10) ? .milliseconds(100) : min(delay * 2, .seconds(5))
      guard let next = await restart(after: delay) else { return }
      running = next
      state = .running(next.identity)
    }
  }

  /// Tries until a start succeeds; `nil` when the role is stopped meanwhile.
  private func restart(after first: Duration) async -> Running? {
    var delay = first
    while state != .stopped {
      try? await Task.sleep(for: delay)  // cancelled: the loop condition decides
      guard state != .stopped else { return nil }
      do { return try start() } catch {
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
