import ControlPlane
import HTTPTypes
import Hummingbird
import Platform
import Wire

extension APIRoutes {
  /// `/apps` and an app's config vars.
  func addAppRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps") { _, context in
      try Response.json(try await controlPlane.apps(by: context.account()))
    }
    routes.post("apps") { request, context in
      let app = try await controlPlane.createApp(request.decode(AppCreate.self), by: context.account())
      return try Response.json(app, status: .created)
    }
    routes.get("apps/:app") { _, context in
      try Response.json(try await controlPlane.app(context.parameter("app"), by: context.account()))
    }
    routes.delete("apps/:app") { _, context in
      try Response.json(try await controlPlane.destroyApp(context.parameter("app"), by: context.account()))
    }
    routes.get("apps/:app/config-vars") { _, context in
      try Response.json(try await controlPlane.configVars(context.parameter("app"), by: context.account()))
    }
    routes.patch("apps/:app/config-vars") { request, context in
      let patch = try await request.decode(ConfigVarsPatch.self)
      let (vars, release) = try await controlPlane.setConfigVars(
        context.parameter("app"), patch: patch, by: context.account())
      var headers: HTTPFields = [:]
      if let release { headers[.paasRelease] = release.description }
      return try Response.json(vars, headers: headers)
    }
  }
}
