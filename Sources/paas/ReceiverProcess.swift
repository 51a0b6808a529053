import Glibc
import Linux
import Platform

/// Starts `paas receiver`: libssh, packs, refs. It holds the SSH listening socket and the end of a pipe of ours, and
/// ends at once when that pipe closes, so no receiver outlives its server.
struct ReceiverProcess: Sendable {
  let data: DataDirectory
  let users: RoleUsers
  let ssh: Listening
  let environment: [String: String]

  /// This process, for the receivers that it starts one after the other.
  private static let serverID = PushID().description

  func start() throws -> Supervisor.Running {
    let (reading, writing) = try makePipe()
    defer { close(reading) }
    var request = ChildRequest(
      path: nil,
      arguments: [
        "receiver", "--data", data.receiver, "--socket", data.receiverSocket, "--listen-fd", "3", "--lifeline-fd", "4",
        "--server-id", Self.serverID,
      ], environment: environment, directory: "/", descriptors: [2: 2, 3: ssh.descriptor, 4: reading])
    if users.separate { request.user = (users.receiver.uid, users.receiver.gid) }
    do {
      let child = try Child.spawn(request)
      let identity = ProcessIdentity(pid: child.pid) ?? ProcessIdentity(pid: child.pid, startTime: 0)
      return Supervisor.Running(identity: identity) {
        let status = await child.exitStatus()
        close(writing)
        return status
      }
    } catch {
      close(writing)
      throw error
    }
  }
}
