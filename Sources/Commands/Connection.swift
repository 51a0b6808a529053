import ArgumentParser
import Client
import Platform

/// `--host`: which server.
struct ConnectionOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The server: unix:PATH or https://HOST (PAAS_HOST).", valueName: "address"))
  var host: String?

  /// Flag over environment over the local server's socket.
  func client(_ environment: CommandEnvironment = .current) throws -> PaasClient {
    if host != nil, environment.isOverSSH {
      throw CommandError(.usage, "over SSH the server is the one you are logged in to", next: "leave --host out")
    }
    let address =
      if let text = host ?? environment.host {
        try ServerAddress(parsing: text)
      } else {
        ServerAddress.unix(path: environment.controlSocket)
      }
    return PaasClient(address: address, token: try environment.sessionToken())
  }
}

/// `-a`, `-r` and `--host`: which app on which server.
struct AppOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: "The app (PAAS_APP; else the git remote's).")
  var app: String?

  @Option(name: .shortAndLong, help: "The git remote that names the app.")
  var remote: String?

  @OptionGroup var connection: ConnectionOptions

  /// The app's name or id, and the path of its resource.
  func selected(_ environment: CommandEnvironment = .current) throws -> SelectedApp {
    let name = try AppSelection.app(flag: app, remote: remote, environment)
    return SelectedApp(name: name, client: try connection.client(environment))
  }
}

/// An app on a server, as its commands use it.
struct SelectedApp: Sendable {
  let name: String
  let client: PaasClient

  /// `/apps/hello/releases`
  func path(_ rest: String = "") -> String { "/apps/\(percentEncoded(name))\(rest)" }
}
