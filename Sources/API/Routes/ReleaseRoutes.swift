import ControlPlane
import HTTPTypes
import Hummingbird
import Wire

extension APIRoutes {
  /// An app's releases; a POST rolls back.
  func addReleaseRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/releases") { _, context in
      try Response.json(try await controlPlane.releases(context.parameter("app"), by: context.account()))
    }
    routes.post("apps/:app/releases") { request, context in
      let release = try await controlPlane.rollback(
        context.parameter("app"), request.decode(RollbackRequest.self), by: context.account())
      return try Response.json(release, status: .created)
    }
    routes.get("apps/:app/releases/:release") { _, context in
      try Response.json(
        try await controlPlane.release(
          context.parameter("app"), context.parameter("release"), by: context.account()))
    }
  }
}
