import NIOCore

/// One time limit of one connection. Moving it costs nothing: the task looks again when it fires.
final class Countdown {
  private let loop: any EventLoop
  private var length = TimeAmount.zero
  private var deadline = NIODeadline.distantFuture
  private var firesAt = NIODeadline.distantFuture
  private var task: Scheduled<Void>?
  private var action: (() -> Void)?

  init(on loop: any EventLoop) { self.loop = loop }

  /// Runs `action` once, on the loop, unless ``touch()`` moves it or another start or ``cancel()`` replaces it.
  func start(_ duration: Duration, _ action: @escaping () -> Void) {
    length = TimeAmount(duration)
    self.action = action
    touch()
    if deadline < firesAt { schedule() }
  }

  /// The whole time again, from now.
  func touch() { deadline = .now() + length }

  func cancel() {
    action = nil
    task?.cancel()
    task = nil
    firesAt = .distantFuture
  }

  private func schedule() {
    task?.cancel()
    firesAt = deadline
    task = loop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in self?.fire() }
  }

  private func fire() {
    task = nil
    firesAt = .distantFuture
    guard let action else { return }
    if NIODeadline.now() < deadline { return schedule() }
    self.action = nil
    action()
  }
}
