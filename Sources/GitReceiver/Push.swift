import Logging
import Platform
import Wire

/// One `git push`, from the granted app to the last report line: the receiver's half of the path of a push.
enum Push {
  /// Serves `git-receive-pack` on the transport. Returns the exit status for the client's ssh.
  static func run(
    transport: any GitTransport, app: AppName, token: String, server: any PushServer, repositories: Repositories,
    protocolVersion: GitProtocolVersion, logger: Logger
  ) throws -> Int32 {
    throw GitError(.internalError, "not yet")
  }
}
