public import Linux
import Platform
public import Wire

// What the router asks and tells.
extension ControlPlane {
  /// Long poll: a table that the router does not have; `nil` when there is none in time.
  public func routingTable(after generation: UInt64, router: String? = nil, pid: Int32? = nil) async -> RoutingTable? {
    await routes.table(
      after: generation, router: router, process: pid.flatMap { ProcessIdentity(pid: $0) }, within: Self.longPoll)
  }

  /// `pid`: of the process that says it, as the kernel tells.
  public func routerReport(_ report: RouterReport, pid: Int32? = nil) async {
    await routes.accept(report, from: pid.flatMap { ProcessIdentity(pid: $0) })
  }

  public func routerMetrics(_ metrics: RouterMetrics) async {
    let known = await routes.present(among: metrics.apps.map(\.app))
    var metrics = metrics
    metrics.apps.removeAll { !known.contains($0.app) }
    traffic.accept(metrics)
  }

  /// The body as it came; blocks no thread that others need.
  public func routerLogs(_ body: [UInt8]) async {
    let logs = logs
    await blocking { logs.addRouter(body) }
  }

  /// A router's process was started, or found. Nothing counts as in force before it says so too, or ends.
  public func routerStarted(_ process: ProcessIdentity) async { await routes.expect(process) }

  /// A router's process has ended: nobody waits for it any more.
  public func routerEnded() async { await routes.ended() }

  /// A table was put out; there is none when the ledger cannot be read, and then each router keeps the one it has.
  public var hasRoutes: Bool { get async { await routes.current > 0 } }

  /// Waits until this router has the present routes in force; `false` when it does not say so in time.
  public func routerIsReady(_ process: ProcessIdentity, within limit: Duration) async -> Bool {
    await routes.inForce(at: process, within: limit)
  }
}
