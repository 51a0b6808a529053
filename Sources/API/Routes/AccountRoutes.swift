import ControlPlane
import HTTPTypes
import Hummingbird
import Platform
import Wire

extension APIRoutes {
  /// `/account`, its keys, and `/platform`.
  func addAccountRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("account") { _, context in
      let account = try context.account()
      return try Response.json(
        AccountResource(id: account.id.description, email: account.email, admin: account.isAdmin))
    }
    routes.get("account/keys") { _, context in
      try Response.json(try await controlPlane.keys(of: context.account()))
    }
    routes.post("account/keys") { request, context in
      let key = try await controlPlane.addKey(request.decode(KeyCreate.self), by: context.account())
      return try Response.json(key, status: .created)
    }
    routes.delete("account/keys/:key") { _, context in
      try Response.json(try await controlPlane.removeKey(context.parameter("key"), by: context.account()))
    }
    routes.get("platform") { _, _ in
      let (receiver, router) = await pids()
      return try Response.json(controlPlane.platform(receiver: receiver, router: router))
    }
    routes.get("platform/capabilities") { _, _ in try Response.json(await controlPlane.capabilities()) }
  }
}
