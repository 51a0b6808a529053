import Platform

/// Hands each event to everybody who listens. The engine, an actor, owns it.
struct Broadcast {
  private var listeners: [Int: AsyncStream<EngineEvent>.Continuation] = [:]
  private var next = 0

  mutating func add(_ listener: AsyncStream<EngineEvent>.Continuation) -> Int {
    next += 1
    listeners[next] = listener
    return next
  }

  mutating func remove(_ number: Int) { listeners[number] = nil }

  func send(_ event: EngineEvent) {
    for listener in listeners.values { listener.yield(event) }
  }
}
