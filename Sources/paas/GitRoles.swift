import ArgumentParser
import GitReceiver
import Glibc
import Linux

/// `paas receive-pack DIR`: git's receive-pack for any repository, on standard input and output. For
/// `git push --receive-pack='paas receive-pack' DIR`, and to compare our receiver with git's. It runs the repository's
/// hooks and trusts its configuration, so it is no command of a session over SSH.
struct ReceivePackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receive-pack", abstract: "Receive a push into any repository, as git receive-pack does.",
    shouldDisplay: false)

  @Argument(help: "The repository.")
  var directory: String

  func run() throws {
    throw ExitCode(
      StandaloneReceive.run(
        directory: directory, transport: DescriptorTransport(), environment: Machine.environment))
  }
}
