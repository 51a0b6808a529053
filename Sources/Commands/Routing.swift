import ArgumentParser
import Client
import Platform
import Wire

struct Routing: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routing", abstract: "Show how requests are led to an app.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let routing: RoutingResource = try await app.client.get(app.path("/routing"))
    if json { return try Console.json(routing) }
    Console.out(Self.text(routing))
  }

  static func text(_ routing: RoutingResource) -> String {
    func or(_ value: String?, _ standard: String) -> String { value ?? "\(standard) (default)" }
    func flag(_ value: Bool?, _ standard: String) -> String { or(value.map { $0 ? "on" : "off" }, standard) }
    func page(_ bytes: Int?) -> String { bytes.map { "custom, \($0) bytes" } ?? "the platform's" }
    return Layout.titled(
      "\(routing.app.name) Routing",
      Layout.pairs([
        ("maintenance", routing.maintenance ? "on" : "off"),
        ("balancing", or(routing.balancing, "least-connections")), ("sticky", flag(routing.sticky, "off")),
        ("body-limit", or(routing.body_limit.map(RoutingWords.shown), "none")),
        ("concurrency", or(routing.concurrency.map(String.init), "none")),
        ("queue", or(routing.queue.map(String.init), "the router's")),
        ("first-byte", or(routing.first_byte_seconds.map { "\($0)s" }, "the router's")),
        ("idle", or(routing.idle_seconds.map { "\($0)s" }, "the router's")), ("logs", flag(routing.logs, "on")),
        ("redirects", "\(routing.redirects.count)"),
        ("users", routing.users.isEmpty ? "none: no password" : routing.users.joined(separator: ", ")),
        ("ips", routing.ips.isEmpty ? "everybody" : routing.ips.joined(separator: ", ")),
        ("error page", page(routing.error_page)), ("maintenance page", page(routing.maintenance_page)),
      ]))
  }

  static func send(_ update: RoutingUpdate, to app: SelectedApp) async throws {
    let body = [UInt8](try Wire.encode(update))
    _ = try await Console.progress("Changing routing of \(app.name)") {
      try await app.client.call(
        ClientRequest(
          .patch, app.path("/routing"), headers: ["Content-Type": "application/json"], body: .bytes(body)))
    }
  }
}

struct RoutingSet: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routing:set", abstract: "Change how requests are led to an app; no release, no restart.",
    discussion: """
      balancing=least-connections|round-robin, sticky=on|off, body-limit=10m, concurrency=N (client connections with a
      request), queue=N (requests per process), first-byte=30s, idle=55s, logs=on|off.
      """)

  @Argument(help: ArgumentHelp("What to set.", valueName: "name=value")) var assignments: [String]
  @OptionGroup var options: AppOptions

  func run() async throws { try await Routing.send(try RoutingWords.update(assignments), to: try options.selected()) }
}

struct RoutingUnset: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routing:unset", abstract: "Give routing settings their defaults back.")

  @Argument(help: ArgumentHelp("Which.", valueName: "name")) var names: [String]
  @OptionGroup var options: AppOptions

  func run() async throws { try await Routing.send(try RoutingWords.unset(names), to: try options.selected()) }
}

struct Redirects: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "redirects", abstract: "List an app's redirects.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let redirects: [RedirectResource] = try await app.client.get(app.path("/redirects"))
    if json { return try Console.json(redirects) }
    if redirects.isEmpty { return Console.note("\(app.name) has no redirects.\n") }
    let rows = redirects.map { [$0.from, "-> \($0.to)", $0.permanent ? "308" : "307"] }
    Console.out(Layout.titled("\(app.name) Redirects", Layout.columns(rows)))
  }
}

struct RedirectsAdd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redirects:add", abstract: "Send every request for one of an app's names elsewhere, path kept.")

  @Argument(help: "One of the app's domains.") var from: String
  @Argument(help: "For example https://www.example.com") var to: String
  @Flag(help: "307 instead of 308: clients ask again each time.") var temporary = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let redirect = RedirectResource(from: from, to: to, permanent: !temporary)
    _ = try await Console.progress("Redirecting \(printable(from)) to \(printable(to))") {
      try await app.client.post(app.path("/redirects"), redirect, as: RedirectResource.self)
    }
  }
}

struct RedirectsRemove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redirects:remove", abstract: "Send requests for a name to the app again.")

  @Argument(help: "The domain.") var from: String
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Removing the redirect from \(printable(from))") {
      try await app.client.delete(app.path("/redirects/\(percentEncoded(from))"), as: RedirectResource.self)
    }
  }
}
