import Synchronization

/// One lock per name, first come first served. An actor would not do: it takes in the next call at each `await`.
final class NamedLocks<Name: Hashable & Sendable>: Sendable {
  /// A name that is in the map is locked; its list waits.
  private let queues = Mutex<[Name: [CheckedContinuation<Void, Never>]]>([:])

  /// Runs the body while nobody else holds this lock.
  func hold<Value: Sendable>(_ name: Name, _ body: @Sendable () async throws -> Value) async rethrows -> Value {
    await acquire(name)
    defer { release(name) }
    return try await body()
  }

  /// Runs the body if nobody holds the lock now; otherwise returns `nil` at once.
  func tryHold<Value: Sendable>(_ name: Name, _ body: @Sendable () async throws -> Value) async rethrows -> Value? {
    let isFree = queues.withLock { queues in
      if queues[name] != nil { return false }
      queues[name] = []
      return true
    }
    guard isFree else { return nil }
    defer { release(name) }
    return try await body()
  }

  private func acquire(_ name: Name) async {
    await withCheckedContinuation { continuation in
      let isFree = queues.withLock { queues in
        if queues[name] == nil {
          queues[name] = []
          return true
        }
        queues[name]?.append(continuation)
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  private func release(_ name: Name) {
    let next = queues.withLock { queues -> CheckedContinuation<Void, Never>? in
      guard var waiting = queues[name], !waiting.isEmpty else {
        queues[name] = nil
        return nil
      }
      let first = waiting.removeFirst()
      queues[name] = waiting
      return first
    }
    next?.resume()
  }
}
