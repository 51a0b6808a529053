import Logging
public import Platform
import Store
public import Wire

extension ControlPlane {
  /// How long a poll waits for news.
  static let longPoll = Duration.seconds(25)

  /// May this session push to (or read) this app? A push to an app that does not exist creates it.
  public func repositoryGrant(_ request: RepositoryRequest) async throws -> RepositoryGrant {
    guard let account = await account(session: request.token) else {
      throw APIError(id: "unauthorized", message: "the session is not known", next: "connect again")
    }
    let name = request.app
    let exists = try await store.read { try $0.app(named: name) != nil }
    let isCreated = !exists && request.access == .push
    let app = isCreated ? try await createApp(named: name, by: account) : try await find(name.description, by: account)
    let live = try await store.read { try $0.currentRelease(of: app.id) }
    return RepositoryGrant(
      app: app.app, created: isCreated, deployBranch: app.deployBranch, tip: app.tip,
      liveRelease: live?.slug == nil ? nil : live?.version, liveCommit: live?.commit)
  }

  /// Long poll: what the receiver should do now.
  public func receiverWork() async -> [ReceiverWork] {
    await desk.work(within: Self.longPoll) {
      do {
        return try await self.refUpdates(app: nil)
      } catch {
        self.logger.error("ref updates not read", metadata: ["cause": "\(error)"])
        return []
      }
    }
  }

  public func answerWork(id: String, _ answer: WorkAnswer) async { await desk.answer(id, answer) }

  /// Committed in the ledger, not yet in the repository; oldest first.
  public func refUpdates(app: AppID?) async throws -> [RefUpdate] {
    try await store.read { try $0.pendingRefUpdates(of: app) }.map {
      RefUpdate(app: $0.app, build: $0.build, ref: $0.ref, old: $0.old, new: $0.new)
    }
  }

  public func refUpdateOutcome(build: BuildID, _ outcome: RefUpdateOutcome) async throws {
    switch outcome {
    case .applied: try await store.write { try $0.endRefUpdate(build, .applied, reason: nil) }
    case .impossible(let reason):
      logger.error("ref update is impossible", metadata: ["build": "\(build)", "reason": "\(printable(reason))"])
      try await store.write { ledger in
        try ledger.endRefUpdate(build, .impossible, reason: printable(reason))
        guard let app = try ledger.build(build)?.app else { return }
        try ledger.addFailure(
          app: app, phase: DeployPhase.commit.rawValue, code: .platformError,
          message: "the ref of build \(build) could not be moved: \(printable(reason))")
      }
    }
  }
}
