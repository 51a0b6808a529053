import Platform
import Wire

/// What the server wants of the receiver: items are handed out again and again until they are answered.
actor ReceiverDesk {
  /// An item that was handed out is not handed out again for this long.
  static let patience = Duration.seconds(2)
  static let capacity = 1000

  private struct Item {
    var work: ReceiverWork
    var handedOut: ContinuousClock.Instant?
    /// Somebody waits for the answer; others are forgotten once they are answered.
    var isAwaited: Bool
  }

  private let bell = Bell()
  private var items: [Item] = []
  private var answers: [String: WorkAnswer] = [:]
  private var handedOutUpdates: [BuildID: ContinuousClock.Instant] = [:]
  private var lastPoll: ContinuousClock.Instant?

  /// Asks and waits; `nil` when there was no answer in time. A receiver that was not heard of lately gets `absent`.
  func ask(_ kind: ReceiverWork.Kind, app: AppID, within limit: Duration, absent: Duration) async -> WorkAnswer? {
    let id = add(kind, app: app, isAwaited: true)
    let isThere = lastPoll.map { .now - $0 < .seconds(60) } ?? false
    let answer = await bell.wait(until: .now + (isThere ? limit : absent)) { await self.takeAnswer(id) }
    items.removeAll { $0.work.id == id }
    answers[id] = nil
    return answer
  }

  /// Asks without waiting.
  func tell(_ kind: ReceiverWork.Kind, app: AppID?) { _ = add(kind, app: app, isAwaited: false) }

  /// Work to do now, from here and from the ledger's pending ref updates; empty after `limit`.
  func work(within limit: Duration, updates: @escaping @Sendable () async -> [RefUpdate]) async -> [ReceiverWork] {
    lastPoll = .now
    return await bell.wait(until: .now + limit) {
      let pending = await updates()
      let work = await self.handOut(pending)
      return work.isEmpty ? nil : work
    } ?? []
  }

  func answer(_ id: String, _ answer: WorkAnswer) {
    lastPoll = .now
    guard let index = items.firstIndex(where: { $0.work.id == id }) else { return }
    if items[index].isAwaited {
      answers[id] = answer
    } else {
      items.remove(at: index)
    }
    bell.ring()
  }

  /// There is a new ref update in the ledger.
  func ring() { bell.ring() }

  private func add(_ kind: ReceiverWork.Kind, app: AppID?, isAwaited: Bool) -> String {
    let id = PushID().description
    items.append(Item(work: ReceiverWork(id: id, app: app, kind: kind), isAwaited: isAwaited))
    if items.count > Self.capacity { items.removeFirst(items.count - Self.capacity) }
    bell.ring()
    return id
  }

  private func takeAnswer(_ id: String) -> WorkAnswer? { answers[id] }

  private func handOut(_ updates: [RefUpdate]) -> [ReceiverWork] {
    let now = ContinuousClock.now
    lastPoll = now
    var result: [ReceiverWork] = []
    for index in items.indices where isDue(items[index].handedOut, now) {
      items[index].handedOut = now
      result.append(items[index].work)
    }
    handedOutUpdates = handedOutUpdates.filter { entry in updates.contains { $0.build == entry.key } }
    for update in updates where isDue(handedOutUpdates[update.build], now) {
      handedOutUpdates[update.build] = now
      result.append(ReceiverWork(id: "ref-\(update.build)", app: update.app, kind: .applyRefUpdate(update)))
    }
    return result
  }

  private func isDue(_ handedOut: ContinuousClock.Instant?, _ now: ContinuousClock.Instant) -> Bool {
    handedOut.map { now - $0 > Self.patience } ?? true
  }
}
