import ArgumentParser
import Client
import Platform
import Wire

struct Whoami: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "whoami", abstract: "Show the account you act as.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let account: AccountResource = try await connection.client().get("/account")
    if json { return try Console.json(account) }
    Console.out("\(account.email)\n")
  }
}

struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Show what the server can do here, and what it lacks.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let client = try connection.client()
    let platform: PlatformResource = try await client.get("/platform")
    let engine: EngineCapabilities = try await client.get("/platform/capabilities")
    if json { try Console.json(engine) } else { Console.out(Self.text(platform, engine)) }
    if !engine.canRun { throw ExitCode(1) }
  }

  static func text(_ platform: PlatformResource, _ engine: EngineCapabilities) -> String {
    func yes(_ value: Bool) -> String { value ? "yes" : "no" }
    let pid = { (pid: Int32?) in pid.map { "running, pid \($0)" } ?? "not running" }
    let pairs = [
      ("Server", "\(platform.version), pid \(platform.server_pid)"), ("Receiver", pid(platform.receiver_pid)),
      ("Router", pid(platform.router_pid)), ("SSH", platform.ssh), ("HTTP", platform.http), ("API", platform.api),
      ("Runs apps", yes(engine.canRun)), ("A user per app", yes(engine.perAppUsers)),
      ("Resource limits", yes(engine.resourceLimits)),
    ]
    return Layout.titled("Platform", Layout.pairs(pairs)) + engine.missing.map { PushText.error($0) }.joined()
  }
}

struct PlatformInfo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "platform", abstract: "Show the server's addresses, version and processes.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let platform: PlatformResource = try await connection.client().get("/platform")
    if json { return try Console.json(platform) }
    let pid = { (pid: Int32?) in pid.map(String.init) ?? "not running" }
    let pairs = [
      ("Version", platform.version), ("Installation", platform.installation), ("Domain", platform.domain),
      ("SSH", platform.ssh), ("HTTP", platform.http), ("API", platform.api), ("Server pid", "\(platform.server_pid)"),
      ("Receiver pid", pid(platform.receiver_pid)), ("Router pid", pid(platform.router_pid)),
    ]
    Console.out(Layout.titled("Platform", Layout.pairs(pairs)))
  }
}

struct Version: AsyncParsableCommand {
  /// Of this program.
  static let number = Commands.version
  static let configuration = CommandConfiguration(
    commandName: "version", abstract: "Print the versions of this program and of the server.")

  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    Console.out("paas \(Self.number)\n")
    let platform: PlatformResource
    do {
      platform = try await connection.client().get("/platform")
    } catch let error as ClientError {
      return Console.note("no server: \(error.message)\n")
    }
    Console.out("server \(platform.version)\n")
  }
}
