import Platform
import Synchronization

/// One lock per app, first come first served. An actor would not do: it takes in the next call at each `await`.
final class NamedLocks: Sendable {
  /// An app that is in the map is locked; its list waits.
  private let queues = Mutex<[AppID: [CheckedContinuation<Void, Never>]]>([:])

  /// Runs the body while nobody else holds this app's lock.
  func hold<Value: Sendable>(_ app: AppID, _ body: @Sendable () async throws -> Value) async rethrows -> Value {
    await acquire(app)
    defer { release(app) }
    return try await body()
  }

  /// Runs the body if nobody holds the lock now; otherwise returns `nil` at once.
  func tryHold<Value: Sendable>(_ app: AppID, _ body: @Sendable () async throws -> Value) async rethrows -> Value? {
    let isFree = queues.withLock { queues in
      if queues[app] != nil { return false }
      queues[app] = []
      return true
    }
    guard isFree else { return nil }
    defer { release(app) }
    return try await body()
  }

  private func acquire(_ app: AppID) async {
    await withCheckedContinuation { continuation in
      let isFree = queues.withLock { queues in
        if queues[app] == nil {
          queues[app] = []
          return true
        }
        queues[app]?.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  private func release(_ app: AppID) {
    let next = queues.withLock { queues -> CheckedContinuation<Void, Never>? in
      guard var waiting = queues[app], !waiting.isEmpty else {
        queues[app] = nil
        return nil
      }
      let first = waiting.removeFirst()
      queues[app] = waiting
      return first
    }
    next?.resume()
  }
}
