import ControlPlane
import HTTPTypes
import Hummingbird
import NIOCore
import Platform
import Wire

extension APIRoutes {
  /// What the routers have counted, and the router's restart.
  func addMetricsRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/metrics") { _, context in
      try Response.json(try await controlPlane.metrics(context.parameter("app"), by: context.account()))
    }
    routes.post("platform/router/restart") { _, context in
      guard try context.account().isAdmin else {
        throw APIError(
          id: "forbidden", message: "only an admin may restart the router", next: "ask whoever runs this platform")
      }
      return try Response.json(try await restartRouter())
    }
    if !controlPlane.hasOpenMetrics {
      routes.get("metrics") { _, context in try await metrics(for: context.account()) }
    }
  }

  /// `GET /metrics` for everybody who can connect, where the operator said so.
  func addOpenMetrics(to router: Router<APIContext>) {
    guard controlPlane.hasOpenMetrics else { return }
    router.get("metrics") { _, _ in try await metrics(for: nil) }
  }

  private func metrics(for account: Account?) async throws -> Response {
    let text = try await controlPlane.metricsText(by: account)
    return Response(
      status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
