import Linux
import Logging
import Platform
import Synchronization
import Wire

/// The routing table in force: on all loops, on disk, and what still runs on instances that have left it.
///
/// A table counts as in force (and its number is reported) only when every loop has it **and** it is on disk: a
/// router that starts again from an older file could send a request to an address that belongs to another app now.
actor RouteTables {
  private let plane: DataPlane
  private let file: TableFile
  private let logger: Logger
  /// Names this run of the router in its reports.
  nonisolated let router = ID<RouteTables>().description
  private var routes: RouteSet
  private(set) var isConfirmed = false
  /// Whose table it is; kept for the file.
  private var last: RoutingTable?
  /// The number that may be reported: on all loops and on disk.
  private var inForce: UInt64 = 0
  /// A table is on its way to the loops: one that has not got it yet may still choose an instance that leaves.
  private var isSwitching = false
  private var isLeaving = false
  private var draining: [Backend] = []
  /// Yields when the report has changed: a table is in force, or a request ended on an instance that has left.
  nonisolated let changes: AsyncStream<Void>
  private let changed: AsyncStream<Void>.Continuation

  init(plane: DataPlane, file: TableFile, logger: Logger) {
    self.plane = plane
    self.file = file
    self.logger = logger
    let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.changes = changes
    self.changed = changed
    routes = RouteSet { changed.yield() }
  }

  var generation: UInt64 { inForce }

  /// The table that was in force when a router last ran here. Of another boot it routes nothing until confirmed.
  func restore(_ table: RoutingTable, trusted: Bool) async throws {
    try await put(table, confirmed: trusted || table.bootID == Machine.bootID)
    inForce = table.generation
  }

  /// Puts the server's table in force. False: it is the difference to a table that is not the one here, so nothing was
  /// done, and the whole must be asked for. Throws when the loops are gone.
  func apply(_ table: RoutingTable) async throws -> Bool {
    if let base = table.base, base != inForce || !isConfirmed { return false }
    try await put(table, confirmed: true)
    do {
      let file = file
      let whole = RoutingTable(
        generation: table.generation, installation: table.installation, bootID: table.bootID, apps: [])
      let routes = routes
      try await blocking {
        try file.add(table) {
          var whole = whole
          whole.apps = routes.apps
          return whole
        }
      }
    } catch {
      try file.remove()
      logger.error("cannot keep the routing table", metadata: ["error": "\(error)"])
    }
    inForce = table.generation
    logger.info(
      "routing table in force", metadata: ["generation": "\(table.generation)", "apps": "\(routes.count)"])
    changed.yield()
    return true
  }

  private func put(_ table: RoutingTable, confirmed: Bool) async throws {
    isSwitching = true
    defer { isSwitching = false }
    let leaving = routes.apply(table)
    draining += leaving
    isConfirmed = confirmed
    try await plane.apply(routes.snapshot(confirmed: confirmed), retired: leaving)
  }

  /// No new connections from now on; reports say so.
  func leave() {
    isLeaving = true
    changed.yield()
  }

  /// What is in force and in flight now.
  func report() -> RouterReport {
    if !isSwitching { draining.removeAll { $0.inFlight == 0 } }
    var counts: [InstanceID: Int] = [:]
    routes.forEachBackend { backend in
      if backend.inFlight > 0 { counts[backend.endpoint.instance, default: 0] += backend.inFlight }
    }
    for backend in draining where backend.inFlight > 0 {
      counts[backend.endpoint.instance, default: 0] += backend.inFlight
    }
    let inFlight = counts.sorted { $0.key < $1.key }.map { RouterReport.InFlight(instance: $0.key, requests: $0.value) }
    return RouterReport(
      generation: inForce, inFlight: inFlight, router: router, leaving: isLeaving ? true : nil)
  }

  /// What was counted, with all apps that had any request.
  func metrics() async throws -> RouterMetrics {
    let (refused, apps) = try await plane.metrics()
    let shared = plane.shared
    return RouterMetrics(
      router: router, connections: shared.connections.open, accepted: shared.connections.accepted, refused: refused,
      droppedLines: shared.log.dropped, held: shared.held.load(ordering: .relaxed), generation: inForce, apps: apps)
  }
}
