import ArgumentParser
import Client
import Linux
import Platform
import Wire

struct Auth: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "auth", abstract: "List the users that an app asks a password of.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let users: [BasicUserResource] = try await app.client.get(app.path("/auth"))
    if json { return try Console.json(users) }
    if users.isEmpty { return Console.note("\(app.name) asks for no password.\n") }
    Console.out(Layout.titled("\(app.name) Users", users.map { "\($0.name)\n" }.joined()))
  }
}

struct AuthAdd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "auth:add", abstract: "Let a user in with a password, and nobody without one.",
    discussion: "Without --password-stdin a password is made and printed, once. A user who is there gets the new one.")

  @Argument(help: "The user's name.") var user: String
  @Flag(help: "Read the password from standard input.") var passwordStdin = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    var password: String?
    if passwordStdin {
      let text = try await Input.text(limit: 1024)
      password = String(text.prefix { $0 != "\n" && $0 != "\r\n" })
    }
    let wanted = BasicUserResource(name: user, password: password)
    let made: BasicUserResource = try await Console.progress("Adding \(printable(user)) to \(app.name)") {
      try await app.client.post(app.path("/auth"), wanted)
    }
    if let password = made.password { Console.out("\(password)\n") }
  }
}

struct AuthRemove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "auth:remove", abstract: "Let a user in no more; with the last one the app is open to everybody.")

  @Argument(help: "The user's name.") var user: String
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Removing \(printable(user)) from \(app.name)") {
      try await app.client.delete(app.path("/auth/\(percentEncoded(user))"), as: BasicUserResource.self)
    }
  }
}

struct IPs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ips", abstract: "List the networks whose clients may reach an app.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let list: NetworksResource = try await app.client.get(app.path("/ips"))
    if json { return try Console.json(list) }
    if list.networks.isEmpty { return Console.note("\(app.name) is open to everybody.\n") }
    Console.out(Layout.titled("\(app.name) Allowed Networks", list.networks.map { "\($0)\n" }.joined()))
  }
}

struct IPsAllow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ips:allow", abstract: "Let these networks reach an app, and with the first ones nobody else.")

  @Argument(help: ArgumentHelp("For example 192.0.2.0/24.", valueName: "network")) var networks: [String]
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Allowing \(networks.joined(separator: " ")) on \(app.name)") {
      try await app.client.post(app.path("/ips"), NetworksResource(networks: networks), as: NetworksResource.self)
    }
  }
}

struct IPsRemove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ips:remove", abstract: "Let these networks reach an app no more.")

  @Argument(help: ArgumentHelp("As `paas ips` shows it.", valueName: "network")) var networks: [String]
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Removing \(printable(networks.joined(separator: " "))) from \(app.name)") {
      for network in networks {
        _ = try await app.client.delete(app.path("/ips/\(percentEncoded(network))"), as: NetworksResource.self)
      }
    }
  }
}

struct IPsClear: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ips:clear", abstract: "Let everybody reach an app again.")

  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Opening \(app.name) to all networks") {
      try await app.client.delete(app.path("/ips"), as: NetworksResource.self)
    }
  }
}

struct PagesSet: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pages:set", abstract: "Answer with a page of an app's own: error or maintenance.")

  @Argument(help: "error or maintenance.") var page: String
  @Argument(help: "HTML, 64 KiB at most; - is standard input.") var file: String
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let html: String
    if file == "-" {
      html = try await Input.text(limit: Self.limit)
    } else if CommandEnvironment.current.isOverSSH {
      throw CommandError(.usage, "files here are not yours over SSH", next: "use - and send it on standard input")
    } else {
      html = try Input.text(try Files.read(file), limit: Self.limit, named: "'\(printable(file))'")
    }
    _ = try await Console.progress("Setting the \(printable(page)) page of \(app.name)") {
      try await app.client.call(
        ClientRequest(
          .put, app.path("/pages/\(percentEncoded(page))"), headers: ["Content-Type": "text/html; charset=utf-8"],
          body: .bytes(Array(html.utf8))))
    }
  }

  static let limit = 64 << 10
}

struct PagesUnset: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pages:unset", abstract: "Answer with the platform's page again: error or maintenance.")

  @Argument(help: "error or maintenance.") var page: String
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    _ = try await Console.progress("Removing the \(printable(page)) page of \(app.name)") {
      try await app.client.delete(app.path("/pages/\(percentEncoded(page))"), as: RoutingResource.self)
    }
  }
}
