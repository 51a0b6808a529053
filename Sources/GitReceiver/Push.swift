import Logging
import Platform
import Wire

/// One `git push`, from the key that was accepted to the last line of the report: the receiver's half of the path of a
/// push (docs/lifecycle.md). The server's half is ControlPlane's Deploy.
enum Push {
  /// Serves `git-receive-pack` on the transport. Returns the exit status for the client's ssh. Throws ``GitError``
  /// when the client breaks the protocol or goes away before there is anything to report.
  static func run(
    transport: any GitTransport, app: AppName, token: String, server: any PushServer, repositories: Repositories,
    protocolVersion: GitProtocolVersion, logger: Logger
  ) throws -> Int32 {
    let session = PushSession(
      transport: transport, app: app, token: token, server: server, repositories: repositories, logger: logger)

    // 1. The user may push to this app; its refs are brought up to the ledger, then shown.
    guard let grant = try session.admit() else { return 1 }
    try session.advertise(grant, protocolVersion)
    guard let request = try session.receiveCommands() else { return session.explainNothingToDo(grant) }
    let client = session.answers(to: request, grant)
    var plan = try session.decide(request, grant)
    if plan.isRefused { return session.finish(plan, client, expecting: request) }

    // The pack goes into a quarantine of this push: indexed under limits, every object checked, nothing missing.
    let push = PushID()
    do {
      try session.receiveObjects(request, &plan, push, grant, client)
    } catch {
      return session.refuseObjects(error, plan, client, push, grant)
    }
    client.startKeepAlive()

    // Refs beside the deploy branch do not wait for it, unless the client wants all or nothing: then they are locked,
    // and refuse the push before it builds.
    let kept = session.lockKept(&plan, push, grant)
    if plan.isRefused { return session.finish(plan, client, discarding: push, grant) }
    if !plan.isAtomic { session.applyKept(&plan, push, grant, locked: kept) }

    // 2. The tree goes to the server as a tar; it builds, releases and launches, and says how it ended.
    if let deploy = plan.deploy {
      switch session.deploy(deploy, push, grant, client) {
      case .committed:
        session.logIfForced(deploy.command, push, grant)
      case .rejected(let reason):
        kept.release()
        plan.refuse(deploy.command, reason)
        client.progress(PushText.error("Push rejected to \(app)."))
      }
    } else if plan.isAtomic {
      session.keepObjects(&plan, push, grant)
    }
    // The ledger has it: the refs that were locked follow, here.
    if plan.isAtomic, !plan.isRefused { session.applyKept(&plan, push, grant, locked: kept) }
    let status = session.finish(plan, client)
    Upkeep.startIfNeeded(repositories, app: grant.app.id, logger: logger)
    return status
  }
}
