import Linux
import Logging
import Platform
import Wire

/// The routing table in force: on all loops, on disk, and what still runs on instances that have left it.
///
/// A table counts as in force (and its number is reported) only when every loop has it **and** it is on disk: a
/// router that starts again from an older file could send a request to an address that belongs to another app now.
actor RouteTables {
  private let plane: DataPlane
  private let file: TableFile
  private let logger: Logger
  private var current = RouteSnapshot.unknown
  /// The number that may be reported: on all loops and on disk.
  private var inForce: UInt64 = 0
  /// A table is on its way to the loops: one that has not got it yet may still choose an instance that leaves.
  private var isSwitching = false
  private var draining: [Backend] = []
  /// Yields when the report has changed: a table is in force, or a request ended on an instance that has left.
  nonisolated let changes: AsyncStream<Void>
  private let changed: AsyncStream<Void>.Continuation

  init(plane: DataPlane, file: TableFile, logger: Logger) {
    self.plane = plane
    self.file = file
    self.logger = logger
    (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  var generation: UInt64 { inForce }
  var isConfirmed: Bool { current.isConfirmed }

  /// The table that was in force when a router last ran here. Of another boot it routes nothing until confirmed.
  func restore(_ table: RoutingTable, trusted: Bool) async throws {
    try await put(table, confirmed: trusted || table.bootID == Machine.bootID)
    inForce = table.generation
  }

  /// Puts the server's table in force. Throws when the loops are gone.
  func apply(_ table: RoutingTable) async throws {
    try await put(table, confirmed: true)
    do {
      let file = file
      try await blocking { try file.write(table) }
    } catch {
      // An old table must not be found at the next start.
      file.remove()
      logger.error("cannot keep the routing table", metadata: ["error": "\(error)"])
    }
    inForce = table.generation
    logger.info(
      "routing table in force", metadata: ["generation": "\(table.generation)", "apps": "\(table.apps.count)"])
    changed.yield()
  }

  private func put(_ table: RoutingTable, confirmed: Bool) async throws {
    let old = current
    let new = RouteSnapshot(table, confirmed: confirmed, previous: old) { [changed] in changed.yield() }
    current = new
    let staying = Set(new.backends.map(ObjectIdentifier.init))
    let leaving = old.backends.filter { !staying.contains(ObjectIdentifier($0)) }
    for backend in leaving { backend.retire() }
    draining += leaving
    isSwitching = true
    defer { isSwitching = false }
    try await plane.apply(new)
  }

  /// What is in force and in flight now.
  func report() -> RouterReport {
    if !isSwitching { draining.removeAll { $0.inFlight == 0 } }
    var counts: [InstanceID: Int] = [:]
    for backend in current.backends + draining where backend.inFlight > 0 {
      counts[backend.endpoint.instance, default: 0] += backend.inFlight
    }
    let inFlight = counts.sorted { $0.key < $1.key }.map { RouterReport.InFlight(instance: $0.key, requests: $0.value) }
    return RouterReport(generation: inForce, inFlight: inFlight)
  }
}
