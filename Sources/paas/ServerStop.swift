import ArgumentParser
import Glibc
import Linux
import Platform

/// `paas server:stop`: ends the server and leaves apps and router running; `--all` ends everything.
struct ServerStopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server:stop", abstract: "Stop the server; apps and router go on unless --all is given.")

  @Option(help: "The server's data directory.")
  var data: String?
  @Flag(help: "Stop the apps and the router too, after what is in flight has ended.")
  var all = false

  func run() async throws {
    let environment = Machine.environment
    do throws(StartError) {
      let directory = try DataDirectory(
        data ?? environment["PAAS_DATA"] ?? DataDirectory.standard(environment: environment))
      guard let server = directory.runningServer() else { return try await withoutServer(directory) }
      guard server.signal(all ? SIGUSR2 : SIGTERM) else {
        throw StartError(
          "cannot signal the server (pid \(server.pid))", next: "run this as the server's user or as root")
      }
      // Receiver, router and apps end one after the other.
      let limit = RouterProcess.endTime(of: nil, in: directory) + .seconds(75)
      note("Stopping paas (pid \(server.pid))...")
      guard await server.ended(within: limit) else {
        throw StartError(
          "the server (pid \(server.pid)) is still ending after \(limit.components.seconds) seconds",
          next: "look at its log")
      }
      note(all ? " done\n" : " done, apps and router go on\n")
    } catch {
      fail(error)
    }
  }

  /// A server that died leaves apps and router behind; `--all` ends them too.
  private func withoutServer(_ directory: DataDirectory) async throws(StartError) {
    guard all else {
      throw StartError("no paas server runs on '\(directory.path)'", next: "apps that it left running end with --all")
    }
    guard Files.exists(directory.installationFile) else {
      throw StartError("'\(directory.path)' is no paas data directory", next: "name it with --data DIR")
    }
    let lock = try directory.lock()
    defer { close(lock) }
    let users = try RoleUsers.find()
    let settings = RouterSettings(program: "")
    let routers = RouterProcess.living(in: directory, users: users, settings: settings)
    for router in routers {
      if let socket = router.http { close(socket) }
      router.identity.signal(SIGTERM)
    }
    for router in routers { _ = await router.identity.ended(within: router.record.endTime) }
    await Server.stopLeftovers(in: directory)
    note("Stopped what the last server left running in \(directory.path)\n")
  }
}
