import ArgumentParser
import Client
import Wire

struct Logs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "logs", abstract: "Print an app's log.")

  @Flag(name: .shortAndLong, help: "Go on with new lines as they come.") var tail = false
  @Option(name: [.short, .customLong("num")], help: "How many lines.") var number = 100
  @Option(name: [.short, .customLong("process-type"), .customLong("ps")], help: "Only web, or web.1.") var process:
    String?
  @Option(name: .shortAndLong, help: "Only app, router or paas.") var source: String?
  @OptionGroup var options: AppOptions

  func validate() throws {
    guard number >= 0 else { throw ValidationError("-n must be 0 or more") }
  }

  func run() async throws {
    let app = try options.selected()
    try await Records.printed(ClientRequest(.get, app.path("/logs?") + query), app.client)
  }

  var query: String {
    var parts = ["lines=\(number)"]
    if tail { parts.append("tail=true") }
    if let process { parts.append("process=\(percentEncoded(process))") }
    if let source { parts.append("source=\(percentEncoded(source))") }
    return parts.joined(separator: "&")
  }
}
