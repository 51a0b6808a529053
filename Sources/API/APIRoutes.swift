import ControlPlane
import HTTPTypes
import Hummingbird
import Wire

/// Which routes a door has. One line per route; the handlers stand in Routes/, one file per noun.
struct APIRoutes: Sendable {
  let door: Door
  let controlPlane: ControlPlane
  let pids: RolePIDs
  let restartRouter: RouterRestart

  func responder() -> RouterResponder<APIContext> {
    let router = Router(context: APIContext.self)
    router.add(middleware: Framing())
    switch door {
    case .router:
      addRouterRoutes(to: router.group())
    case .receiver:
      addReceiverRoutes(to: router.group())
      addAPI(to: router.group().add(middleware: Authentication(door: door, controlPlane: controlPlane)))
    case .control, .tcp:
      router.get("health") { _, _ in try Response.json(["status": "ok"]) }
      addOpenMetrics(to: router)
      addAPI(to: router.group().add(middleware: Authentication(door: door, controlPlane: controlPlane)))
    }
    return router.buildResponder()
  }

  private func addAPI(to routes: RouterGroup<APIContext>) {
    addAccountRoutes(to: routes)
    addAppRoutes(to: routes)
    addReleaseRoutes(to: routes)
    addProcessRoutes(to: routes)
    addBuildRoutes(to: routes)
    addStreamRoutes(to: routes)
    addDomainRoutes(to: routes)
    addRoutingRoutes(to: routes)
    addMetricsRoutes(to: routes)
  }
}
