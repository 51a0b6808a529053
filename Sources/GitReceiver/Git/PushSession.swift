import Logging
import Platform
import Synchronization
import Wire

/// The steps of ``Push``, and what they share.
struct PushSession {
  let app: AppName
  let token: String
  let server: any PushServer
  let repositories: Repositories
  let logger: Logger

  private let transport: any GitTransport
  private let input: ClientInput
  private static let drainLimit = 4 << 30

  init(
    transport: any GitTransport, app: AppName, token: String, server: any PushServer, repositories: Repositories,
    logger: Logger
  ) {
    self.transport = transport
    self.app = app
    self.token = token
    self.server = server
    self.repositories = repositories
    self.logger = logger
    input = ClientInput(transport)
  }

  /// Asks the server, and applies what the ledger holds for this repository. `nil`: refused, and the client knows why.
  func admit() throws -> RepositoryGrant? {
    do {
      let grant = try server.grant(app: app, access: .push, token: token)
      _ = try repositories.open(app: grant.app.id, create: true)
      try repositories.applyPending(app: grant.app.id, server: server)
      return grant
    } catch {
      let shown = Explanation(error)
      if !shown.isExpected { logger.error("push not admitted", metadata: ["app": "\(app)", "cause": "\(error)"]) }
      try send(ReceivePack.refusal(shown.line))
      return nil
    }
  }

  func advertise(_ grant: RepositoryGrant, _ version: GitProtocolVersion) throws {
    let refs = try repositories.refs(grant.app.id).all()
    try send(ReceivePack.advertisement(refs, version: version))
  }

  /// What the client wants; `nil` when it wants nothing.
  func receiveCommands() throws -> ReceivePack? {
    var conversation = ReceivePack()
    while let packet = try input.packet() {
      guard try conversation.receive(packet) == .commandsComplete else { continue }
      return conversation.commands.isEmpty ? nil : conversation
    }
    if conversation.commands.isEmpty { return nil }
    throw GitError(.disconnected, "the client went away in the middle of its commands")
  }

  /// "Everything up-to-date" says nothing about what is live, so we do.
  func explainNothingToDo(_ grant: RepositoryGrant) -> Int32 {
    let text = UpToDateNote(grant).text
    // Only a courtesy: a client that does not listen any more loses nothing.
    if !text.isEmpty { try? transport.writeError(Array(text.utf8)) }
    return 0
  }

  /// The way back to the client, in the form it asked for.
  func answers(to request: ReceivePack, _ grant: RepositoryGrant) -> SideBand {
    let client = SideBand(
      transport, multiplexed: request.client.sideBand, reports: request.client.reportStatus)
    if grant.created { client.progress(PushText.step("Created app \(app)")) }
    return client
  }

  func decide(_ request: ReceivePack, _ grant: RepositoryGrant) throws -> PushPlan {
    let repository = try repositories.open(app: grant.app.id, create: false)
    let isLost = grant.tip.map { !repository.contains(ObjectID($0)) } ?? false
    // One for all commands: each of its own would read all of `packed-refs` again.
    let refs = repositories.refs(grant.app.id)
    return try PushPlan(request.commands, atomic: request.client.atomic, grant: grant, isLost: isLost) {
      try refs.resolve($0.bytes)?.id
    }
  }

  /// Reports. Of a pack that nobody has read, the client has to get rid before it listens.
  func finish(_ plan: PushPlan, _ client: SideBand, expecting request: ReceivePack? = nil) -> Int32 {
    client.report(PushReport(results: plan.steps.map { ($0.command.name, $0.result) }).encoded)
    client.end()
    if let request, request.expectsPack { input.drain(limit: Self.drainLimit) }
    return 0
  }

  /// Reports a push that was refused after its objects had come.
  func finish(_ plan: PushPlan, _ client: SideBand, discarding push: PushID, _ grant: RepositoryGrant) -> Int32 {
    discard(push, grant)
    return finish(plan, client)
  }

  func send(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try transport.write($0) }
  }
}

// MARK: Objects and refs

extension PushSession {
  /// Indexes the pack into the quarantine and checks it. Refuses, in the plan, a branch that would not be a commit.
  /// Throws ``GitError`` when the pack cannot be taken.
  func receiveObjects(
    _ request: ReceivePack, _ plan: inout PushPlan, _ push: PushID, _ grant: RepositoryGrant, _ client: SideBand
  ) throws {
    guard request.expectsPack else { return }
    let id = grant.app.id
    let quarantine = repositories.quarantine(app: id, push: push)
    try quarantine.create()
    let repository = try repositories.open(app: id, create: false)
    var indexer = PackIndexer(
      limits: repositories.limits,
      store: try PackStore(
        repositories.path(id), cacheBytes: 8 << 20, objectLimit: repositories.limits.objectBytes))
    indexer.waiting = { client.progress(PushText.detail("Other pushes are being checked; waiting for our turn")) }
    indexer.check = { if client.isGone { throw GitError(.disconnected, "the client went away") } }
    // In a turn that other pushes wait for: nobody waits for this client there.
    if !request.client.quiet { indexer.progress = { client.note(Self.checking($0, of: $1)) } }
    let pushed = try indexer.index(input, into: quarantine.packDirectory)
    let quarantined = try repositories.open(app: id, with: push)
    try Connectivity(repository: repository, pushed: pushed).check(plan.tips)
    if let deploy = plan.deploy, let kind = try quarantined.header(of: deploy.command.new)?.kind, kind != .commit {
      plan.refuse(deploy.command, "a branch must be a commit, this is a \(kind.name); push TAG^{}:\(plan.deployBranch)")
    }
    logger.info("pack indexed", metadata: ["app": "\(app)", "push": "\(push)", "objects": "\(pushed.count)"])
  }

  /// One line that the next one overwrites, as git's own progress does.
  private static func checking(_ done: Int, of total: Int) -> String {
    let percent = done * 100 / max(total, 1)
    return "Checking objects: \(percent)% (\(done)/\(total))" + (done == total ? ", done.\n" : "\r")
  }

  /// The pack was not taken: nothing of it stays, and no ref moves.
  func refuseObjects(
    _ error: any Error, _ plan: PushPlan, _ client: SideBand, _ push: PushID, _ grant: RepositoryGrant
  ) -> Int32 {
    let shown = Explanation(error)
    logger.notice("pack refused", metadata: ["app": "\(app)", "cause": "\(error)"])
    discard(push, grant)
    client.progress(PushText.error(shown.message) + (shown.next.map { PushText.error("next: \($0)") } ?? ""))
    client.progress(PushText.error("Push rejected to \(app)."))
    let results = plan.steps.map { ($0.command.name, $0.isRefused ? $0.result : .rejected("unpacker error")) }
    client.report(PushReport(unpackError: shown.message, results: results).encoded)
    client.end()
    // Where its end is, only a sound pack says: read until the client, who has our report by now, closes.
    input.drain(limit: Self.drainLimit)
    return 0
  }

  /// Moves the objects of an atomic push without a deploy into the repository. ``KeptRefs/lock(_:with:)`` has noted what
  /// its refs will name.
  func keepObjects(_ plan: inout PushPlan, _ push: PushID, _ grant: RepositoryGrant) {
    do {
      try repositories.locked(grant.app.id) {
        try repositories.quarantine(app: grant.app.id, push: push).keep()
      }
    } catch {
      logger.error("objects not kept", metadata: ["app": "\(app)", "push": "\(push)", "cause": "\(error)"])
      for step in plan.kept { plan.refuse(step.command, "platform error: \(Explanation(error).message)") }
    }
  }

  /// Deletes the push's objects. What cannot be deleted now is swept when the receiver starts.
  func discard(_ push: PushID, _ grant: RepositoryGrant) {
    do {
      try repositories.discardQuarantine(app: grant.app.id, push: push)
    } catch {
      logger.error("quarantine not deleted", metadata: ["app": "\(app)", "push": "\(push)", "cause": "\(error)"])
    }
  }
}

/// Any error, as a person is told of it. What is not meant for people becomes "internal error".
struct Explanation {
  let message: String
  let next: String?
  /// It was made to be shown.
  let isExpected: Bool

  init(_ error: any Error) {
    let explained = error as? any Explained
    message = explained?.message ?? "internal error"
    next = explained?.nextStep
    isExpected = explained != nil
  }

  var line: String { message + (next.map { "; \($0)" } ?? "") }
}
