import ControlPlane
import HTTPTypes
import Hummingbird
import Platform
import Wire

extension APIRoutes {
  /// What only the receiver asks (Wire, `ReceiverRoutes`). No token: the socket says who it is.
  func addReceiverRoutes(to routes: RouterGroup<APIContext>) {
    routes.post("receiver/sessions") { request, _ in
      try Response.json(try await controlPlane.authenticate(request.decode(KeyOffer.self)))
    }
    routes.delete("receiver/session") { request, _ in
      if let token = request.token { await controlPlane.endSession(token: token) }
      return Response.noContent
    }
    routes.post("receiver/repositories") { request, _ in
      try Response.json(try await controlPlane.repositoryGrant(request.decode(RepositoryRequest.self)))
    }
    routes.get("receiver/work") { _, _ in try Response.json(await controlPlane.receiverWork()) }
    routes.post("receiver/work/:id") { request, context in
      await controlPlane.answerWork(id: try context.parameter("id"), try await request.decode(WorkAnswer.self))
      return Response.noContent
    }
    routes.get("receiver/ref-updates") { request, _ in
      let app = try request.query("app").map { text in
        guard let id = AppID(text) else { throw APIError.invalid("'\(printable(text))' is not an app's id") }
        return id
      }
      return try Response.json(try await controlPlane.refUpdates(app: app))
    }
    routes.post("receiver/ref-updates/:build") { request, context in
      let text = try context.parameter("build")
      guard let build = BuildID(text) else { throw APIError.invalid("'\(printable(text))' is not a build's id") }
      try await controlPlane.refUpdateOutcome(build: build, request.decode(RefUpdateOutcome.self))
      return Response.noContent
    }
  }
}
