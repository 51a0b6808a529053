import ArgumentParser
import Commands

/// The program: a role, the server, or a command for a server.
struct Paas: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paas", abstract: "git push paas main, and the app is live.", version: Commands.version,
    subcommands: [
      ServerCommand.self, ServerStopCommand.self, RouterCommand.self, ReceiverCommand.self, ReceivePackCommand.self,
      UploadPackCommand.self,
    ] + Commands.all)
}

/// What a session over SSH may ask for: the commands, and nothing that starts or stops a process of the platform.
struct PaasOverSSH: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paas", abstract: "git push paas main, and the app is live.", version: Commands.version,
    subcommands: Commands.all)
}
