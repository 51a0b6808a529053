import Logging
import Platform
import Wire

/// One clone or fetch over SSH, from the key that was accepted to the last byte of the pack.
enum Fetch {
  /// Serves `git-upload-pack` on the transport. Returns the exit status for the client's ssh. Throws when the client
  /// goes away.
  static func run(
    transport: any GitTransport, app: AppName, token: String, server: any PushServer, repositories: Repositories,
    protocolVersion: GitProtocolVersion, logger: Logger
  ) throws -> Int32 {
    let id: AppID
    do {
      id = try server.grant(app: app, access: .read, token: token).app.id
      _ = try repositories.open(app: id, create: true)
      // What is live is what a clone brings.
      try repositories.applyPending(app: id, server: server)
    } catch {
      let shown = Explanation(error)
      if !shown.isExpected { logger.error("fetch not admitted", metadata: ["app": "\(app)", "cause": "\(error)"]) }
      try ReceivePack.refusal(shown.line).withUnsafeBytes { try transport.write($0) }
      return 1
    }
    let status = try UploadPack.serve(
      directory: repositories.path(id), transport: transport, version: protocolVersion, settings: .managed)
    logger.info("fetch served", metadata: ["app": "\(app)", "status": "\(status)"])
    return status
  }
}
