import Synchronization

/// Wakes everybody who waits for something to change. Take ``rings``, look at the condition, then wait for a ring after
/// the one you took: a ring in between is not lost.
final class Bell: Sendable {
  private struct State {
    var rings: UInt64 = 0
    var lastWaiter: UInt64 = 0
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
  }

  private let state = Mutex(State())

  var rings: UInt64 { state.withLock { $0.rings } }

  func ring() {
    let waiting = state.withLock { state in
      state.rings += 1
      defer { state.waiters = [:] }
      return state.waiters
    }
    for continuation in waiting.values { continuation.resume() }
  }

  /// Returns after a later ring, at the deadline, or when the task is cancelled.
  func wait(after rings: UInt64, until deadline: ContinuousClock.Instant) async {
    let waiter = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    let timer = Task {
      try await Task.sleep(until: deadline, clock: .continuous)
      self.wake(waiter)
    }
    defer { timer.cancel() }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let mayWait = state.withLock { state in
          if state.rings != rings || Task.isCancelled || deadline <= .now { return false }
          state.waiters[waiter] = continuation
          return true
        }
        if !mayWait { continuation.resume() }
      }
    } onCancel: {
      self.wake(waiter)
    }
  }

  /// Waits until `condition` gives a value, looking again after each ring; `nil` at the deadline or when cancelled.
  func wait<Value: Sendable>(
    until deadline: ContinuousClock.Instant, for condition: @Sendable () async -> Value?
  ) async -> Value? {
    while true {
      let rings = rings
      if let value = await condition() { return value }
      if Task.isCancelled || deadline <= .now { return nil }
      await wait(after: rings, until: deadline)
    }
  }

  private func wake(_ waiter: UInt64) {
    state.withLock { $0.waiters.removeValue(forKey: waiter) }?.resume()
  }
}
