import Glibc
import Linux
import Synchronization

/// How many packs may be in their expensive second pass at once; the others wait, in no order.
final class IndexerTurns: Sendable {
  /// For the whole process.
  static let shared = IndexerTurns(2)

  private let free: Mutex<Int>
  private let condition = Condition()

  init(_ count: Int) { free = Mutex(max(count, 1)) }

  /// Runs `body` in a turn, or at once when it is `free`. Calls `waiting` first when there is none, and `check` about
  /// once a second while it waits: what that throws ends the waiting. Throws what `body` throws.
  func take<Result>(
    free isFree: Bool, waiting: () -> Void, check: () throws -> Void, _ body: () throws -> Result
  ) throws -> Result {
    if isFree { return try body() }
    if !tryTake() {
      waiting()
      while !condition.wait(until: { tryTake() }) { try check() }
    }
    defer {
      free.withLock { $0 += 1 }
      condition.signal()
    }
    return try body()
  }

  private func tryTake() -> Bool {
    free.withLock { free in
      guard free > 0 else { return false }
      free -= 1
      return true
    }
  }
}

/// Threads that wait until something holds.
/// `@unchecked Sendable`: nothing but a POSIX mutex and its condition, which are made to be shared.
private final class Condition: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// `false` when about a second has passed first.
  func wait(until holds: () -> Bool) -> Bool {
    var end = timespec()
    clock_gettime(CLOCK_REALTIME, &end)
    end.tv_sec += 1
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !holds() {
      if pthread_cond_timedwait(condition, mutex, &end) == ETIMEDOUT { return holds() }
    }
    return true
  }

  func signal() {
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }
}
