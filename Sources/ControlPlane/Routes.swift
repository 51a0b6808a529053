import Linux
import Platform
import Wire

/// The table that the routers should have, and what they say about the one they have.
actor Routes {
  private let installation: InstallationID
  private let bootID: String
  private let bell = Bell()
  private var history = RouteHistory()
  private var book = RouterBook()

  init(installation: InstallationID, bootID: String) {
    self.installation = installation
    self.bootID = bootID
  }

  /// The count of the table that is out.
  var current: UInt64 { history.change }

  /// Those of these apps that there are.
  func present(among apps: [AppID]) -> Set<AppID> { Set(apps.filter(history.has)) }

  /// Puts a table out, counted as a change if anything in it differs. Returns the count, for ``inForce(_:)``.
  func publish(_ apps: [RoutedApp]) -> UInt64 {
    if history.publish(apps) { bell.ring() }
    return history.change
  }

  /// A table that is not the router's own, at once or when there is one; `nil` after `limit`.
  func table(
    after known: UInt64, router: String? = nil, process: ProcessIdentity? = nil, within limit: Duration
  ) async -> RoutingTable? {
    let speaker = RouterBook.Speaker(router: router, process: process)
    return await bell.wait(until: .now + limit) { await self.table(after: known, for: speaker) }
  }

  private func table(after known: UInt64, for speaker: RouterBook.Speaker) -> RoutingTable? {
    let (change, base) = book.asked(speaker, after: known, at: .now)
    guard history.change > 0, change != history.change else { return nil }
    book.gave(history.change, to: speaker)
    var table = RoutingTable(
      generation: base + history.change, installation: installation, bootID: bootID, apps: [])
    if let change, book.understandsDifferences(speaker), let difference = history.difference(since: change) {
      table.base = known
      table.apps = difference.changed
      table.removed = difference.removed
    } else {
      table.apps = history.whole
    }
    return table
  }

  func accept(_ report: RouterReport, from process: ProcessIdentity? = nil) {
    book.accept(report, from: process, at: .now)
    bell.ring()
  }

  /// A router was started; nothing counts as in force before it says so too, or ends.
  func expect(_ process: ProcessIdentity) { book.expect(process, at: .now) }

  /// A router's process has ended.
  func ended() { bell.ring() }

  /// Waits until every router that takes connections has this table or a later one. `false` when they did not say so in
  /// time: half a minute for a router that was heard of lately, 5 s where none may be there.
  func inForce(_ wanted: UInt64) async -> Bool {
    await until(.now + patience) { $0.inForce(wanted) == true }
  }

  /// The same, of every router that lives: also one that leaves may send a request to what its table still has.
  func released(_ wanted: UInt64) async -> Bool {
    await until(.now + patience) { $0.isReleased(wanted) }
  }

  private var patience: Duration {
    let isThere = book.lastHeard.map { .now - $0 < .seconds(30) } ?? false
    return .seconds(isThere ? 30 : 5)
  }

  /// Waits until this router has the table that is out now, or a later one.
  func inForce(at process: ProcessIdentity, within limit: Duration) async -> Bool {
    let wanted = history.change
    return await until(.now + limit) { $0.inForce(wanted, at: process) }
  }

  /// Waits until none of these instances has a request in flight, or the time is over.
  func drained(_ instances: Set<InstanceID>, within limit: Duration) async -> Bool {
    await until(.now + limit) { $0.isDrained(instances) }
  }

  /// Looks after each report, and each second: a router that is killed says nothing.
  private func until(
    _ deadline: ContinuousClock.Instant, _ condition: @escaping @Sendable (RouterBook) -> Bool
  ) async -> Bool {
    while true {
      let rings = bell.rings
      if condition(living()) { return true }
      if Task.isCancelled || deadline <= .now { return false }
      await bell.wait(after: rings, until: min(deadline, .now + .seconds(1)))
    }
  }

  private func living() -> RouterBook {
    book.forget(at: .now) { $0.isAlive }
    return book
  }

  /// Names of the routers that are alive, for gauges.
  var names: Set<String> { Set(living().entries.compactMap(\.speaker.router)) }
}
