import CLinux
import Logging
import Platform
import Wire

/// One connection from its key exchange to its goodbye, on a thread of its own.
struct SSHSession {
  /// What a session needs of the receiver.
  struct Context: Sendable {
    var client: ReceiverClient
    var repositories: Repositories
    var commands: CommandEnvironment
    var limits = SSHLimits()
  }

  /// How far a connection came.
  enum End: Equatable {
    case served
    /// It tried to log in, and could not.
    case loginFailed
    /// It never tried.
    case silent
  }

  let connection: SSHConnection
  let peer: String
  let context: Context
  let logger: Logger

  /// Returns when the connection is over, however that came. Calls `loggedIn` when the client has proved its key; it
  /// says whether one more connection with this key is welcome.
  func run(loggedIn: @escaping (SSHLogin) -> Bool) -> End {
    let start = ContinuousClock.now
    var dialogue = SSHLoginDialogue(
      connection: connection, peer: peer, tries: context.limits.loginTries, authenticate: context.client.authenticate,
      admit: { admit($0, loggedIn) }, logger: logger)
    var end = End.silent
    do throws(SSHError) {
      try connection.exchangeKeys(until: start + min(context.limits.keyExchangeTime, context.limits.loginTime))
      defer { if dialogue.failures > 0 { end = .loginFailed } }
      let login = try dialogue.run(until: start + context.limits.loginTime)
      end = .served
      defer { context.client.endSession(token: login.session.token, logger: logger) }
      try serve(login)
    } catch .clientGone {
    } catch .keyExchange(let reason) {
      // Port scans and health checks come this far; they are no news.
      logger.debug("ssh connection never began", metadata: ["peer": "\(peer)", "reason": "\(reason)"])
    } catch {
      logger.info("ssh connection ended", metadata: ["peer": "\(peer)", "reason": "\(error.message)"])
    }
    connection.disconnect()
    return end
  }

  private func admit(_ login: SSHLogin, _ loggedIn: (SSHLogin) -> Bool) -> Bool {
    if loggedIn(login) { return true }
    context.client.endSession(token: login.session.token, logger: logger)
    return false
  }

  /// One command after the other, until the client leaves. libssh frees channels with the connection: hence the limit.
  private func serve(_ login: SSHLogin) throws(SSHError) {
    for _ in 0..<context.limits.commands {
      var requests = ChannelRequests(connection)
      let task = try requests.next(until: .now + context.limits.idleTime)
      task.channel.finish(status: try perform(task, login))
    }
  }

  /// Returns the exit status; throws only when nobody is left to tell.
  private func perform(_ task: ChannelTask, _ login: SSHLogin) throws(SSHError) -> Int32 {
    do {
      switch task.kind {
      case .shell:
        try task.channel.sendAll(Greeting.text(for: login.session.account, terminal: task.terminal != nil))
        return 0
      case .exec(let request): return try perform(try request.get(), task, login)
      }
    } catch let error as SSHError {
      throw error
    } catch {
      return try explain(error, to: task.channel)
    }
  }

  private func perform(_ request: ExecRequest, _ task: ChannelTask, _ login: SSHLogin) throws -> Int32 {
    let token = login.session.token
    switch request {
    case .push(let app):
      // What a pack needed is not kept for the next one: idle sessions are many, pushes are few.
      defer { paas_trim_memory() }
      return try Push.run(
        transport: ChannelTransport(task.channel), app: app, token: token, server: context.client,
        repositories: context.repositories, protocolVersion: GitProtocolVersion(environment: task.gitProtocol),
        logger: logger)
    case .fetch(let app):
      return try Fetch.run(
        transport: ChannelTransport(task.channel), app: app, token: token, server: context.client,
        repositories: context.repositories, protocolVersion: GitProtocolVersion(environment: task.gitProtocol),
        logger: logger)
    case .command(let name, let arguments):
      let child = try CommandChild(
        name, arguments, token: token, terminal: task.terminal, environment: context.commands)
      return try CommandRelay(task.channel, child).run()
    }
  }

  /// Tells the client what went wrong, on its stderr. Returns the exit status (docs/conventions.md: exit codes).
  private func explain(_ error: any Error, to channel: SSHChannel) throws(SSHError) -> Int32 {
    var text = PushText.error("an internal error; the operator finds it in the receiver's log")
    var status: Int32 = 1
    if let error = error as? any Explained {
      text = PushText.error(error.message) + (error.nextStep.map { PushText.error("next: \($0)") } ?? "")
    }
    switch error {
    case let error as ExecRefusal: status = error.exitStatus
    case let error as APIError: status = Self.exitStatuses[error.id] ?? 1
    default: logger.error("ssh command failed", metadata: ["peer": "\(peer)", "error": "\(error)"])
    }
    try channel.sendAll(text, toError: true)
    return status
  }

  private static let exitStatuses: [String: Int32] = [
    "invalid_params": 2, "not_found": 3, "forbidden": 4, "unauthorized": 4, "conflict": 5, "locked": 5,
  ]
}
