import ArgumentParser
import Client
import Linux
import Platform
import Wire

struct Config: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "config", abstract: "Show an app's config vars.")

  @Flag(name: .shortAndLong, help: "Print lines that a shell can read.") var shell = false
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let vars: [String: String] = try await app.client.get(app.path("/config-vars"))
    if json { return try Console.json(vars) }
    let sorted = vars.sorted { $0.key < $1.key }
    if shell { return Console.out(sorted.map { "\($0.key)=\(ShellWords.quoted($0.value))\n" }.joined()) }
    if vars.isEmpty { return Console.note("\(app.name) has no config vars.\n") }
    Console.out(Layout.titled("\(app.name) Config Vars", Layout.pairs(sorted.map { ($0.key, $0.value) })))
  }
}

struct ConfigGet: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config:get", abstract: "Print the value of a config var.")

  @Argument(help: "The config var's name.") var key: String
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let vars: [String: String] = try await app.client.get(app.path("/config-vars"))
    guard let value = vars[key] else {
      throw CommandError(
        .notFound, "\(app.name) has no config var '\(printable(key))'", next: "`paas config -a \(app.name)` lists them")
    }
    Console.out(value + "\n")
  }
}

struct ConfigSet: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config:set", abstract: "Set config vars; makes a release and restarts.",
    discussion: "KEY=VALUE, or KEY=- to read standard input, or KEY=@FILE to read a file.")

  @Argument(help: ArgumentHelp("What to set.", valueName: "key=value")) var assignments: [String]
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    var patch: ConfigVarsPatch = [:]
    var names: [String] = []
    for text in assignments {
      let (key, value) = try await Self.assignment(text, .current)
      patch[key.description] = .some(value)
      names.append(key.description)
    }
    try await ConfigChange.send(patch, to: app, verb: "Setting", names: names)
  }

  /// `KEY=VALUE`, with the value read where it says so.
  static func assignment(_ text: String, _ environment: CommandEnvironment) async throws -> (ConfigKey, String) {
    guard let equals = text.firstIndex(of: "=") else {
      throw CommandError(
        .usage, "'\(printable(text))' is not KEY=VALUE", next: "for example: paas config:set GREETING=Hello")
    }
    let key = try ConfigKey(String(text[..<equals]))
    let value = String(text[text.index(after: equals)...])
    if value == "-" { return (key, try await Input.text(limit: ConfigChange.limit)) }
    guard value.hasPrefix("@") else { return (key, value) }
    if environment.isOverSSH {
      throw CommandError(
        .usage, "files here are not yours over SSH", next: "use \(key)=- and send it on standard input")
    }
    let path = String(value.dropFirst())
    return (key, try Input.text(try Files.read(path), limit: ConfigChange.limit, named: "'\(printable(path))'"))
  }
}

struct ConfigUnset: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config:unset", abstract: "Remove config vars; makes a release and restarts.")

  @Argument(help: ArgumentHelp("What to remove.", valueName: "key")) var keys: [String]
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    var patch: ConfigVarsPatch = [:]
    for key in keys { patch[try ConfigKey(key).description] = .some(nil) }
    try await ConfigChange.send(patch, to: app, verb: "Unsetting", names: keys)
  }
}

/// One change of config vars, and what it prints.
enum ConfigChange {
  /// Of one value, in bytes: what fits in a process's environment (execve(2), MAX_ARG_STRLEN).
  static let limit = 128 << 10

  static func send(_ patch: ConfigVarsPatch, to app: SelectedApp, verb: String, names: [String]) async throws {
    let body = [UInt8](try Wire.encode(patch))
    let request = ClientRequest(
      .patch, app.path("/config-vars"), headers: ["Content-Type": "application/json"], body: .bytes(body))
    _ = try await Console.progress("\(verb) \(names.joined(separator: ", ")) and restarting \(app.name)") {
      try await app.client.call(request)
    } done: {
      done(release: $0.headers["paas-release"])
    }
  }

  /// `done, v7`; without a release nothing has changed.
  static func done(release: String?) -> String { release.map { "done, \($0)" } ?? "done, nothing changed" }
}

/// Words for `sh`.
enum ShellWords {
  /// The word as it is where it is plain, else in single quotes.
  static func quoted(_ text: String) -> String {
    let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%^".utf8)
    if !text.isEmpty, text.utf8.allSatisfy(plain.contains) { return text }
    return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }

  /// One word is a line for the shell, as Heroku takes it; several are words that keep their borders.
  static func command(_ words: [String]) -> String {
    words.count == 1 ? words[0] : words.map(quoted).joined(separator: " ")
  }
}
