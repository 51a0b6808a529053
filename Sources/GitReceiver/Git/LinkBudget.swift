import Synchronization

/// How much the objects of one push may refer to, counted over the sets of all threads that check it.
final class LinkBudget: Sendable {
  /// Most ids in all.
  let limit: Int
  /// Slots of all tables.
  private let slots = Atomic<Int>(0)

  /// The tables take up to 64 bytes for each of `limit` ids; one that grows takes half as much again meanwhile.
  init(limit: Int = 4_000_000) { self.limit = limit }

  /// Counts the slots a table is to get. Throws ``GitError`` of kind `limit`, and then counts none of them.
  func charge(_ count: Int) throws(GitError) {
    let sum = slots.add(count, ordering: .relaxed).newValue
    // Of a table that has just been doubled, 3/8 are used: tables with more slots hold more ids than the limit.
    guard sum / 8 > limit / 3 else { return }
    release(count)
    throw GitError(
      .limit, "the pushed objects refer to more than \(limit) others", next: "push the history in smaller steps")
  }

  /// Slots whose memory is free again, or soon will be.
  func release(_ count: Int) { slots.subtract(count, ordering: .relaxed) }
}
