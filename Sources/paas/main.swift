import ArgumentParser
import Commands
import Glibc

struct Paas: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paas", abstract: "A git-push platform on one machine.", subcommands: Commands.all)
}

exit(await Commands.main(Paas.self, arguments: Array(CommandLine.arguments.dropFirst())))
