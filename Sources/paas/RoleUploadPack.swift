import ArgumentParser
import GitReceiver
import Linux
import Platform

/// `paas upload-pack DIR`: what `git clone --upload-pack='paas upload-pack' …` starts.
struct UploadPackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upload-pack", abstract: "Serve a clone or fetch of a repository on stdin and stdout.",
    shouldDisplay: false)

  @Flag(help: "Do not try DIR/.git when DIR is no repository.") var strict = false
  @Argument(help: "The repository.") var directory: String

  func run() throws {
    guard let path = repository else {
      // git's own words: its client shows them as they are.
      try Files.writeAll(
        Array("fatal: '\(directory)' does not appear to be a git repository\n".utf8), to: 2, name: "standard error")
      throw ExitCode(128)
    }
    let version = GitProtocolVersion(environment: Machine.environment["GIT_PROTOCOL"])
    let settings = try UploadPack.settings(of: path)
    throw ExitCode(
      try UploadPack.serve(directory: path, transport: DescriptorTransport(), version: version, settings: settings))
  }

  private var repository: String? {
    let candidates = strict ? [""] : ["/.git", "", ".git/.git", ".git"]
    return candidates.map { directory + $0 }.first { Files.exists("\($0)/HEAD") && Files.exists("\($0)/objects") }
  }
}
