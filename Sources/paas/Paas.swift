import ArgumentParser
import Commands
import Glibc

/// The program: a role, the server, or a command for a server.
struct Paas: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paas", abstract: "git push paas main, and the app is live.", version: Version.current,
    subcommands: [ServerCommand.self, ServerStopCommand.self, RouterCommand.self, ReceiverCommand.self] + Commands.all)
}

/// The version of this build.
enum Version {
  static let current = "0.1.0"
}
