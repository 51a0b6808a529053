import ArgumentParser
import Commands

/// The program: a role, the server, or a command for a server.
struct Paas: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paas", abstract: "git push paas main, and the app is live.", version: Version.current,
    subcommands: [ServerCommand.self, ServerStopCommand.self, RouterCommand.self, ReceiverCommand.self] + Commands.all)
}

/// What a session over SSH may ask for: the commands, and nothing that starts or stops a process of the platform.
struct PaasOverSSH: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paas", abstract: "git push paas main, and the app is live.", version: Version.current,
    subcommands: Commands.all)
}

/// The version of this build.
enum Version {
  static let current = "0.1.0"
}
