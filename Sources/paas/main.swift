import ArgumentParser
import Buildpacks
import Commands
import Glibc

struct Paas: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "paas", abstract: "A git-push platform on one machine.", subcommands: Commands.all)
}

if CommandLine.arguments.dropFirst().first == "worker" {
  exit(Worker.main(Array(CommandLine.arguments.dropFirst(2))))
}
exit(await Commands.main(Paas.self, arguments: Array(CommandLine.arguments.dropFirst())))
