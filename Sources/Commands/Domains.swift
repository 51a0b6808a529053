import ArgumentParser
import Client
import Platform
import Wire

struct Domains: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "domains", abstract: "List the names that an app is reached by.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let domains: [DomainResource] = try await app.client.get(app.path("/domains"))
    if json { return try Console.json(domains) }
    Console.out(Self.text(domains, app: app.name))
  }

  static func text(_ domains: [DomainResource], app: String) -> String {
    let standard = domains.filter { $0.kind == "default" }.map { $0.hostname + "\n" }.joined()
    let custom = domains.filter { $0.kind != "default" }
    let first = Layout.titled("\(app) Default Domain", standard)
    if custom.isEmpty { return first }
    let rows = custom.map { [$0.shown, $0.strip ? "path stripped" : "", Moment.shown($0.created_at)] }
    return first + "\n" + Layout.titled("\(app) Custom Domains", Layout.columns(rows))
  }
}

extension DomainResource {
  /// `www.example.com/api`
  var shown: String { hostname + (prefix ?? "") }
}

struct DomainsAdd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "domains:add", abstract: "Serve an app at a name, or below a path of one.",
    discussion: "*.example.com is every name below example.com that no longer name matches.")

  @Argument(help: ArgumentHelp("The name, perhaps with a path: www.example.com/api.", valueName: "host[/path]"))
  var name: String
  @Flag(help: "The app sees paths without the path given here.") var strip = false
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let domain: DomainResource = try await Console.progress("Adding \(printable(name)) to \(app.name)") {
      try await app.client.post(app.path("/domains"), DomainCreate(hostname: name, strip: strip))
    }
    if json { return try Console.json(domain) }
    Console.note("\(domain.shown) is served; lead its DNS to this machine.\n")
  }
}

struct DomainsRemove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "domains:remove", abstract: "Serve an app at a name no more.")

  @Argument(help: ArgumentHelp("The name as `paas domains` shows it.", valueName: "host[/path]")) var name: String
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Removing \(printable(name)) from \(app.name)") {
      try await app.client.delete(app.path("/domains/\(percentEncoded(name))"), as: DomainResource.self)
    }
  }
}

struct DomainsClear: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "domains:clear", abstract: "Leave an app only the name that the platform gives it.")

  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Removing all domains from \(app.name)") {
      try await app.client.delete(app.path("/domains"), as: [DomainResource].self)
    } done: {
      "done, \($0.count) removed"
    }
  }
}

struct Maintenance: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "maintenance", abstract: "Show whether an app is in maintenance mode.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let selected = try options.selected()
    let app: AppResource = try await selected.client.get(selected.path())
    if json { return try Console.json(AppUpdate(maintenance: app.maintenance ?? false)) }
    Console.out(app.maintenance == true ? "on\n" : "off\n")
  }

  static func turn(_ isOn: Bool, _ options: AppOptions) async throws {
    let app = try options.selected()
    _ = try await Console.progress("\(isOn ? "Enabling" : "Disabling") maintenance mode for \(app.name)") {
      try await app.client.call(
        ClientRequest(
          .patch, app.path(), headers: ["Content-Type": "application/json"],
          body: .bytes([UInt8](try Wire.encode(AppUpdate(maintenance: isOn))))))
    }
  }
}

struct MaintenanceOn: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "maintenance:on", abstract: "Answer every request with the maintenance page; processes go on.")
  @OptionGroup var options: AppOptions
  func run() async throws { try await Maintenance.turn(true, options) }
}

struct MaintenanceOff: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "maintenance:off", abstract: "Send requests to the app again.")
  @OptionGroup var options: AppOptions
  func run() async throws { try await Maintenance.turn(false, options) }
}
