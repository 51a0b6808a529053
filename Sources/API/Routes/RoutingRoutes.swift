import ControlPlane
import HTTPTypes
import Hummingbird
import NIOCore
import Platform
import Wire

extension APIRoutes {
  /// What an app's owner sets for its routes.
  func addRoutingRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/routing") { _, context in
      try Response.json(try await controlPlane.routing(context.parameter("app"), by: context.account()))
    }
    routes.patch("apps/:app/routing") { request, context in
      try Response.json(
        try await controlPlane.updateRouting(
          context.parameter("app"), request.decode(RoutingUpdate.self), by: context.account()))
    }
    addRedirectRoutes(to: routes)
    addGateRoutes(to: routes)
    addPageRoutes(to: routes)
  }

  private func addRedirectRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/redirects") { _, context in
      try Response.json(try await controlPlane.routing(context.parameter("app"), by: context.account()).redirects)
    }
    routes.post("apps/:app/redirects") { request, context in
      let redirect = try await controlPlane.addRedirect(
        context.parameter("app"), request.decode(RedirectResource.self), by: context.account())
      return try Response.json(redirect, status: .created)
    }
    routes.delete("apps/:app/redirects/:host") { _, context in
      try Response.json(
        try await controlPlane.removeRedirect(
          context.parameter("app"), context.parameter("host"), by: context.account()))
    }
  }

  /// Who may come in: users with a password, and networks.
  private func addGateRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/auth") { _, context in
      let routing = try await controlPlane.routing(context.parameter("app"), by: context.account())
      return try Response.json(routing.users.map { BasicUserResource(name: $0) })
    }
    routes.post("apps/:app/auth") { request, context in
      let user = try await controlPlane.addUser(
        context.parameter("app"), request.decode(BasicUserResource.self), by: context.account())
      return try Response.json(user, status: .created)
    }
    routes.delete("apps/:app/auth/:user") { _, context in
      try Response.json(
        try await controlPlane.removeUser(context.parameter("app"), context.parameter("user"), by: context.account()))
    }
    routes.get("apps/:app/ips") { _, context in
      let routing = try await controlPlane.routing(context.parameter("app"), by: context.account())
      return try Response.json(NetworksResource(networks: routing.ips))
    }
    routes.post("apps/:app/ips") { request, context in
      let networks = try await request.decode(NetworksResource.self).networks
      return try Response.json(
        try await controlPlane.allowNetworks(context.parameter("app"), networks, by: context.account()),
        status: .created)
    }
    routes.delete("apps/:app/ips/:network") { _, context in
      try Response.json(
        try await controlPlane.removeNetworks(
          context.parameter("app"), [context.parameter("network")], by: context.account()))
    }
    routes.delete("apps/:app/ips") { _, context in
      try Response.json(try await controlPlane.clearNetworks(context.parameter("app"), by: context.account()))
    }
  }

  private func addPageRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/pages/:page") { _, context in
      let page = try await controlPlane.page(context.parameter("app"), page(context), by: context.account())
      return Response(
        status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: page)))
    }
    routes.put("apps/:app/pages/:page") { request, context in
      let body = try await request.body.collect(upTo: Wire.maximumJSON)
      return try Response.json(
        try await controlPlane.setPage(
          context.parameter("app"), page(context), html: Array(body.readableBytesView), by: context.account()))
    }
    routes.delete("apps/:app/pages/:page") { _, context in
      try Response.json(
        try await controlPlane.setPage(context.parameter("app"), page(context), html: nil, by: context.account()))
    }
  }

  private func page(_ context: APIContext) throws -> PageKind {
    let name = try context.parameter("page")
    guard let kind = PageKind(rawValue: name) else {
      throw APIError(
        id: "not_found", message: "there is no page '\(printable(name))'", next: "use error or maintenance")
    }
    return kind
  }
}
