import ControlPlane
import HTTPTypes
import Hummingbird
import Wire

extension APIRoutes {
  /// An app's formation and its dynos; deleting a dyno restarts it, as on Heroku.
  func addProcessRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/formation") { _, context in
      try Response.json(try await controlPlane.formation(context.parameter("app"), by: context.account()))
    }
    routes.patch("apps/:app/formation") { request, context in
      try Response.json(
        try await controlPlane.scale(
          context.parameter("app"), request.decode(FormationUpdate.self), by: context.account()))
    }
    routes.get("apps/:app/dynos") { _, context in
      try Response.json(try await controlPlane.dynos(context.parameter("app"), by: context.account()))
    }
    routes.delete("apps/:app/dynos") { _, context in
      try await controlPlane.restart(context.parameter("app"), dyno: nil, by: context.account())
      return Response(status: .accepted)
    }
    routes.delete("apps/:app/dynos/:dyno") { _, context in
      try await controlPlane.restart(context.parameter("app"), dyno: context.parameter("dyno"), by: context.account())
      return Response(status: .accepted)
    }
  }
}
