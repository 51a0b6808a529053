import ControlPlane
import HTTPTypes
import Hummingbird
import Wire

extension APIRoutes {
  /// What only the router asks (Wire, `RouterRoutes`).
  func addRouterRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("router/table") { request, context in
      let text = request.query("after") ?? "0"
      guard let generation = UInt64(text) else { throw APIError.invalid("'after' must be a generation") }
      let table = await controlPlane.routingTable(
        after: generation, router: Self.name(request.query("router")), pid: context.peer)
      guard let table else { return Response.noContent }
      return try Response.json(table)
    }
    routes.post("router/report") { request, context in
      var report = try await request.decode(RouterReport.self, limit: Wire.maximumTable)
      report.router = Self.name(report.router)
      await controlPlane.routerReport(report, pid: context.peer)
      return Response.noContent
    }
    routes.post("router/metrics") { request, _ in
      var metrics = try await request.decode(RouterMetrics.self, limit: Wire.maximumTable)
      metrics.router = Self.name(metrics.router) ?? ""
      await controlPlane.routerMetrics(metrics)
      return Response.noContent
    }
    routes.post("router/logs") { request, _ in
      let body = try await request.body.collect(upTo: 1 << 20)
      // A router from before the lines had their own form sends JSON: refused, it keeps them instead of losing them.
      guard body.readableBytesView.first != UInt8(ascii: "[") else {
        throw APIError(id: "bad_request", message: "log lines are text, not JSON")
      }
      await controlPlane.routerLogs(Array(body.readableBytesView))
      return Response.noContent
    }
  }

  /// A router's name is kept in memory: a long one is cut.
  private static func name(_ text: String?) -> String? { text.map { String($0.prefix(64)) } }
}
