import ArgumentParser
import Client
import Platform
import Wire

struct GitRemote: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "git:remote", abstract: "Point this repository's git remote to an app.")

  @OptionGroup var options: AppOptions

  func run() async throws {
    let environment = CommandEnvironment.current
    guard let name = options.app ?? environment.app else {
      throw CommandError(.usage, "no app was named", next: "add -a APP")
    }
    let remote = options.remote ?? AppSelection.defaultRemote
    let selected = SelectedApp(name: name, client: try options.connection.client())
    let app: AppResource = try await selected.client.get(selected.path())
    if environment.isOverSSH { return Console.out("git remote add \(remote) \(app.git_url)\n") }
    guard var git = try GitConfig.find(from: environment.directory) else {
      throw CommandError(.usage, "this directory is in no git repository", next: "run `git init` first")
    }
    git.setURL(app.git_url, ofRemote: remote)
    try git.write()
    Console.out("set git remote \(remote) to \(app.git_url)\n")
  }
}
