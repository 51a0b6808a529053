import ArgumentParser
import Client
import Glibc
import Linux
import Platform
import Wire

struct Run: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a command with the app's slug and config, attached to this terminal.",
    discussion: "Exits with the command's status. For example: paas run -- env")

  @Option(name: .shortAndLong, help: ArgumentHelp("A variable for this run.", valueName: "key=value")) var env:
    [String] = []
  @Flag(help: "Pipes instead of a terminal.") var noTty = false
  @OptionGroup var options: AppOptions
  @Argument(help: "The command and its words.") var command: [String]

  func run() async throws {
    let app = try options.selected()
    var environment: [String: String] = [:]
    for text in env {
      let words = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard words.count == 2 else { throw CommandError(.usage, "'\(printable(text))' is not KEY=VALUE") }
      environment[try ConfigKey(words[0]).description] = words[1]
    }
    let size = noTty || !Console.hasTerminal ? nil : Terminal.size()
    if size != nil, let type = CommandEnvironment.current.terminalType { environment["TERM"] = type }
    let request = RunRequest(command: ShellWords.command(command), env: environment, terminal: size)
    let terminal = size == nil ? nil : try Terminal.raw()
    defer { terminal?.restore() }
    let input = try RunInput(request, followsSize: size != nil)
    do {
      try await Records.printed(
        ClientRequest(.post, app.path("/run"), body: .descriptor(input.reader)), app.client)
    } catch {
      terminal?.restore()
      throw error
    }
  }
}
