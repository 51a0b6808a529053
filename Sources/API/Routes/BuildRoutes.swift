import ControlPlane
import HTTPTypes
import Hummingbird
import Platform
import Wire

extension APIRoutes {
  /// An app's builds: a tarball in, the build out at once; its output is read apart, from any offset.
  func addBuildRoutes(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/builds") { _, context in
      try Response.json(try await controlPlane.builds(context.parameter("app"), by: context.account()))
    }
    routes.post("apps/:app/builds") { request, context in
      if request.headers[.contentType]?.hasPrefix("application/json") == true {
        throw APIError.invalid(
          "a build takes the tarball itself as the body, not its address in JSON",
          next: "`paas builds:create --tar FILE -a APP`")
      }
      let push = door == .receiver ? try pushContext(request.headers) : nil
      let build = try await controlPlane.openBuild(
        context.parameter("app"), push: push, by: context.account()
      ) { path in try await SourceUpload.copy(request.body, to: path) }
      return try Response.json(build, status: .created)
    }
    routes.get("apps/:app/builds/:build") { _, context in
      try Response.json(
        try await controlPlane.build(context.parameter("app"), context.parameter("build"), by: context.account()))
    }
    addOutputRoute(to: routes)
  }

  private func addOutputRoute(to routes: RouterGroup<APIContext>) {
    routes.get("apps/:app/builds/:build/output") { request, context in
      let output = try await controlPlane.buildOutput(
        context.parameter("app"), build: context.parameter("build"), offset: request.number("offset", default: 0),
        by: context.account())
      return RecordWriter.response { writer in
        var parser = StreamRecordParser()
        for try await bytes in output {
          parser.append(bytes)
          while let record = try parser.next() { try await writer.write(record) }
        }
      }
    }
  }

  /// The push that a tarball belongs to; `nil` when the receiver forwards a `builds:create`.
  private func pushContext(_ headers: HTTPFields) throws -> PushContext? {
    func header(_ name: String) throws -> String {
      guard let value = HTTPField.Name(name).flatMap({ headers[$0] }) else {
        throw APIError.badRequest("the header '\(name)' is missing")
      }
      return value
    }
    guard let name = HTTPField.Name(PushHeaders.push), headers[name] != nil else { return nil }
    guard let push = PushID(try header(PushHeaders.push)) else {
      throw APIError.badRequest("the header '\(PushHeaders.push)' is not a push's id")
    }
    return PushContext(
      push: push, ref: try RefName(percentDecoded(try header(PushHeaders.ref)) ?? ""),
      old: try CommitID(header(PushHeaders.old)), new: try CommitID(header(PushHeaders.new)),
      subject: percentDecoded(try header(PushHeaders.subject)) ?? "")
  }
}
