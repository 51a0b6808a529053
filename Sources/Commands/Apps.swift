import ArgumentParser
import Client
import Glibc
import Linux
import Platform
import Wire

struct Apps: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "apps", abstract: "List your apps.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let apps: [AppResource] = try await connection.client().get("/apps")
    if json { return try Console.json(apps) }
    if apps.isEmpty { return Console.note("You have no apps. `paas apps:create NAME` makes one.\n") }
    Console.out(Layout.titled("Apps", apps.map(\.name).sorted().map { "\($0)\n" }.joined()))
  }
}

struct AppsCreate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apps:create", abstract: "Create an app; without a name, one is made up.", aliases: ["create"])

  @Argument(help: "2 to 30 of a-z, 0-9 and '-'.") var name: String?
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    if let name { _ = try AppName(name) }
    let client = try connection.client()
    let app: AppResource = try await Console.progress("Creating app") {
      try await client.post("/apps", AppCreate(name: name))
    } done: {
      "done, \($0.name)"
    }
    if json { try Console.json(app) } else { Console.out("\(app.web_url) | \(app.git_url)\n") }
    Console.note("To deploy: paas git:remote -a \(app.name), then git push paas main\n")
  }
}

struct AppsInfo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "apps:info", abstract: "Show an app.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let selected = try options.selected()
    let app: AppResource = try await selected.client.get(selected.path())
    if json { return try Console.json(app) }
    Console.out(Self.text(app))
  }

  static func text(_ app: AppResource) -> String {
    Layout.titled(
      app.name,
      Layout.pairs([
        ("Git URL", app.git_url), ("Owner", app.owner.email), ("Stack", app.stack.name), ("Web URL", app.web_url),
        ("Created", Moment.shown(app.created_at)), ("Released", app.released_at.map(Moment.shown) ?? "never"),
      ]))
  }
}

struct AppsDestroy: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apps:destroy", abstract: "Destroy an app with its releases, repository and logs.")

  @Option(help: ArgumentHelp("The app's name once more.", valueName: "app")) var confirm: String?
  @OptionGroup var options: AppOptions

  func run() async throws {
    let selected = try options.selected()
    let app: AppResource = try await selected.client.get(selected.path())
    try Confirmation.check(confirm, for: app.name, "Destroying \(app.name) removes its releases, repository and logs.")
    _ = try await Console.progress("Destroying \(app.name) (including all releases)") {
      try await selected.client.delete(selected.path(), as: AppResource.self)
    }
  }
}

/// `--confirm APP`, or on a terminal the name typed out.
enum Confirmation {
  static func check(_ given: String?, for name: String, _ warning: String) throws {
    if let given {
      guard given == name else {
        throw CommandError(
          .usage, "--confirm names '\(printable(given))', but the app is '\(name)'; nothing was done",
          next: "to go on, add --confirm \(name)")
      }
      return
    }
    guard Console.hasTerminal else {
      throw CommandError(.usage, "this cannot be undone and was not confirmed", next: "to go on, add --confirm \(name)")
    }
    Console.note("\(warning)\nTo go on, type '\(name)': ")
    guard readLine() == name else {
      throw CommandError(.failed, "the name does not match; nothing was done")
    }
  }
}
