import ControlPlane
import HTTPTypes
import Hummingbird
import Wire

extension APIRoutes {
  /// What only the router asks (Wire, `RouterRoutes`).
  func addRouterRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("router/table") { request, _ in
      let text = request.query("after") ?? "0"
      guard let generation = UInt64(text) else { throw APIError.invalid("'after' must be a generation") }
      guard let table = await controlPlane.routingTable(after: generation) else { return Response.noContent }
      return try Response.json(table)
    }
    routes.post("router/report") { request, _ in
      await controlPlane.routerReport(try await request.decode(RouterReport.self))
      return Response.noContent
    }
    routes.post("router/logs") { request, _ in
      let body = try await request.body.collect(upTo: 1 << 20)
      await controlPlane.routerLogs(RouterLogLine.decode(body.readableBytesView))
      return Response.noContent
    }
  }
}
