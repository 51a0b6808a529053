import ControlPlane
import HTTPTypes
import Hummingbird
import Platform
import Wire

extension APIRoutes {
  /// An app's names, and its maintenance mode as Heroku has it.
  func addDomainRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/domains") { _, context in
      try Response.json(try await controlPlane.domains(context.parameter("app"), by: context.account()))
    }
    routes.post("apps/:app/domains") { request, context in
      let domain = try await controlPlane.addDomain(
        context.parameter("app"), request.decode(DomainCreate.self), by: context.account())
      return try Response.json(domain, status: .created)
    }
    routes.delete("apps/:app/domains") { _, context in
      try Response.json(try await controlPlane.clearDomains(context.parameter("app"), by: context.account()))
    }
    routes.get("apps/:app/domains/:domain") { _, context in
      try Response.json(
        try await controlPlane.domain(context.parameter("app"), context.parameter("domain"), by: context.account()))
    }
    routes.delete("apps/:app/domains/:domain") { _, context in
      try Response.json(
        try await controlPlane.removeDomain(
          context.parameter("app"), context.parameter("domain"), by: context.account()))
    }
    routes.patch("apps/:app") { request, context in
      guard let maintenance = try await request.decode(AppUpdate.self).maintenance else {
        return try Response.json(try await controlPlane.app(context.parameter("app"), by: context.account()))
      }
      return try Response.json(
        try await controlPlane.setMaintenance(context.parameter("app"), maintenance, by: context.account()))
    }
  }
}
