import Platform
import Wire

/// The table that the router should have, and what the router says about the one it has.
actor Routes {
  private let installation: InstallationID
  private let bootID: String
  private let bell = Bell()
  /// Our own count of changes.
  private var change: UInt64 = 1
  /// What the router's number was when it was first heard of: the numbers on the wire are this plus our count. A router
  /// outlives the server, and must see a number that it has not seen.
  private var base: UInt64?
  private var apps: [RoutedApp]?
  private var report: RouterReport?
  private var lastContact: ContinuousClock.Instant?

  init(installation: InstallationID, bootID: String) {
    self.installation = installation
    self.bootID = bootID
  }

  /// The count of the table that is out.
  var current: UInt64 { change }

  /// Puts a table out, counted as a change if anything in it differs. Returns the count, for ``inForce(_:)``.
  func publish(_ apps: [RoutedApp]) -> UInt64 {
    if self.apps != nil, self.apps != apps { change += 1 }
    let isNew = self.apps != apps
    self.apps = apps
    if isNew { bell.ring() }
    return change
  }

  /// A table that is not the router's own, at once or when there is one; `nil` after `limit`.
  func table(after known: UInt64, within limit: Duration) async -> RoutingTable? {
    lastContact = .now
    return await bell.wait(until: .now + limit) { await self.table(otherThan: known) }
  }

  private func table(otherThan known: UInt64) -> RoutingTable? {
    lastContact = .now
    guard let apps else { return nil }
    let generation = goOn(from: known) + change
    guard generation != known else { return nil }
    return RoutingTable(generation: generation, installation: installation, bootID: bootID, apps: apps)
  }

  func accept(_ report: RouterReport) {
    lastContact = .now
    goOn(from: report.generation)
    self.report = report
    bell.ring()
  }

  /// The base, moved if the router has a number that we did not give.
  @discardableResult
  private func goOn(from known: UInt64) -> UInt64 {
    let base = base.map { known > $0 + change ? known : $0 } ?? known
    self.base = base
    return base
  }

  /// Waits until the router has this table or a later one. `false` when it did not say so in time: half a minute for a
  /// router that was heard of lately, 5 s for one that may not be there.
  func inForce(_ wanted: UInt64) async -> Bool {
    let isThere = lastContact.map { .now - $0 < .seconds(30) } ?? false
    return await bell.wait(until: .now + .seconds(isThere ? 30 : 5)) { await self.has(wanted) ? true : nil } ?? false
  }

  private func has(_ wanted: UInt64) -> Bool {
    guard let report, let base else { return false }
    return report.generation >= base + wanted
  }

  /// Waits until none of these instances has a request in flight, or the time is over.
  func drained(_ instances: Set<InstanceID>, within limit: Duration) async -> Bool {
    await bell.wait(until: .now + limit) { await self.isDrained(instances) ? true : nil } ?? false
  }

  private func isDrained(_ instances: Set<InstanceID>) -> Bool {
    report?.inFlight.allSatisfy { !instances.contains($0.instance) || $0.requests == 0 } ?? true
  }
}
