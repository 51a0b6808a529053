import ControlPlane
import HTTPTypes
import Hummingbird
import Platform
import Wire

extension APIRoutes {
  /// `run` and logs: streams of records.
  func addStreamRoutes(to routes: RouterGroup<APIContext>) {
    routes.post("apps/:app/run") { request, context in
      var input = InputRecords(request.body)
      let wanted = try await input.runRequest()
      let process = try await controlPlane.run(context.parameter("app"), wanted, by: context.account())
      let session = RunSession(process: process, input: input)
      return RecordWriter.response { try await session.serve($0) }
    }
    routes.get("apps/:app/logs") { request, context in
      let lines = try await controlPlane.logs(
        context.parameter("app"), lines: request.number("lines", default: 100), tail: request.query("tail") == "true",
        filter: try logFilter(request), by: context.account())
      return RecordWriter.response { writer in
        for try await line in lines { try await writer.write(.stdout, Array((line + "\n").utf8)) }
        try await writer.write(.exit(0))
      }
    }
  }

  private func logFilter(_ request: Request) throws -> LogFilter {
    guard let text = request.query("source") else { return LogFilter(process: request.query("process")) }
    guard let source = LogFilter.Source(rawValue: text) else {
      throw APIError.invalid("'\(printable(text))' is not a source of log lines", next: "use app, router or paas")
    }
    return LogFilter(source: source, process: request.query("process"))
  }
}
