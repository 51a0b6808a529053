import Glibc
import Synchronization

/// Only one router accepts from a listening socket at a time, although during an exchange two hold it: woken for a
/// connection that the other has taken, an event loop works for nothing. What waits for its turn has its routes in force
/// already; connections wait in the kernel's queue for the moment in between.
///
/// The turn is a record lock (fcntl(2), F_SETLK) on the socket itself: it belongs to the process, whoever handed the
/// descriptor over, and ends with it, however it ends.
struct ListeningTurn: Sendable {
  private let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Waits for the turn, or for `other` to end.
  func wait(orUntil other: Task<Void, Never>) async {
    let isOver = OverFlag()
    let watch = Task {
      await other.value
      isOver.set()
    }
    defer { watch.cancel() }
    while !isOver.isSet {
      if set(F_WRLCK) { return }
      do {
        try await Task.sleep(for: .milliseconds(2))  // nobody tells when a lock is free but the lock itself
      } catch {
        return
      }
    }
  }

  func end() { _ = set(F_UNLCK) }

  private func set(_ kind: Int32) -> Bool {
    var lock = flock()
    lock.l_type = Int16(kind)
    lock.l_whence = Int16(SEEK_SET)
    return fcntl(descriptor, F_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES)
  }
}

private final class OverFlag: Sendable {
  private let value = Atomic<Bool>(false)

  var isSet: Bool { value.load(ordering: .acquiring) }
  func set() { value.store(true, ordering: .releasing) }
}
