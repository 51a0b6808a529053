import Logging
import Platform
import Store
import Synchronization
import Wire

/// What a release is to be made of, and why.
struct Change: Sendable {
  var app: AppID
  var account: Account
  var new: NewRelease
  /// Whose config it starts from; `nil`: that of what is live.
  var configFrom: ReleaseID?
  /// `nil` values remove.
  var patch: [ConfigKey: String?] = [:]
  /// The build that it comes from, for a deploy.
  var build: BuildRecord?

  static func deploy(_ result: BuildResult, by build: BuildRecord) -> Change {
    let description = Descriptions.deploy(commit: build.push?.new, slug: result.slug)
    let new = NewRelease(
      kind: .deploy, description: description, slug: result.slug, stack: result.stack, commit: build.push?.new,
      processTypes: result.processTypes, build: build.id)
    return Change(app: build.app, account: build.account, new: new, build: build)
  }
}

/// A release between its creation and the commit point.
struct Candidate: Sendable {
  var release: ReleaseRecord
  var build: BuildRecord?
  var launch: Launch
  /// What runs now and will be replaced.
  var replaced: [WorkloadKey]
}

// The steps of Deploy.swift.
extension ControlPlane {
  /// One transaction: number, snapshot of the config, and the intent to launch. The release is pending from here.
  func createRelease(_ change: Change) async throws -> Candidate {
    try await store.write { ledger in
      guard let app = try ledger.app(change.app), app.deletedAt == nil else { throw DeployFailure.appDestroyed }
      if let build = change.build { try Self.refuseOvertaken(build, app, ledger) }
      let release = try ledger.createRelease(
        change.new, app: app.id, by: change.account, configFrom: change.configFrom ?? app.currentRelease,
        patch: change.patch)
      let (launch, rows) = (LaunchID(), try ledger.formation(of: app.id))
      try ledger.addIntent(.launch, app: app.id, launch: launch)
      return Candidate(
        release: release, build: change.build,
        launch: Launch(
          id: launch, app: app, release: release, config: try ledger.config(of: release.id, app: app.id),
          rows: FormationPlan.next(rows, types: release.processTypes, launch: launch)),
        replaced: rows.compactMap { row in
          row.launch.map { WorkloadKey(app: app.id, launch: $0, process: row.type) }
        })
    }
  }

  /// Looked at when the release is created, so that nothing is started in vain, and again in the commit's transaction.
  static func refuseOvertaken(_ build: BuildRecord, _ app: AppRecord, _ ledger: Ledger) throws {
    if let newer = try ledger.build(build.id)?.supersededBy { throw DeployFailure.superseded(by: newer) }
    if let rollback = try ledger.rollback(of: app.id, after: build.baseVersion) {
      throw DeployFailure.rolledBack(to: "\(rollback.version), \(rollback.description)")
    }
    if let push = build.push, push.old != app.tip ?? .zero { throw DeployFailure.tipMoved(to: app.tip) }
  }

  func runHooks(_ candidate: Candidate, to output: PushOutput) async throws {
    guard candidate.release.slug != nil else { return }
    try await hooks.preDeploy(HookEvent(candidate.launch.app, candidate.release), output: output)
  }

  /// The receiver makes the push's objects durable in the repository; without a ref they are harmless.
  func keepObjects(_ candidate: Candidate) async throws {
    guard let push = candidate.build?.push else { return }
    try Task.checkCancellation()
    let answer = await desk.ask(
      .keepObjects(push: push.push, new: push.new), app: candidate.release.app, within: .seconds(120),
      absent: .seconds(30))
    if answer?.ok == true { return }
    throw DeployFailure(
      .commit, .platformError, answer?.reason ?? "the git receiver did not answer", next: "push again")
  }

  /// The commit point: one transaction, with everything that could have overtaken the build looked at once more.
  func commit(_ candidate: Candidate) async throws {
    try await store.write { ledger in
      let release = candidate.release
      guard let app = try ledger.app(release.app), app.deletedAt == nil else { throw DeployFailure.appDestroyed }
      if let build = candidate.build { try Self.refuseOvertaken(build, app, ledger) }
      try ledger.makeCurrent(release)
      try ledger.setFormation(candidate.launch.rows, of: app.id)
      try ledger.endIntent(launch: candidate.launch.id)
      guard let build = candidate.build else { return }
      try ledger.succeed(build.id, release: release.id)
      if let push = build.push { try ledger.move(app.id, by: push, build: build.id) }
    }
    await desk.ring()
  }

  /// Says what happened, in every place where somebody looks.
  func announce(_ candidate: Candidate, to output: PushOutput) async {
    let (app, release) = (candidate.launch.app.app, candidate.release)
    logs.note(app.id, "\(release.description) by user \(release.account.email)")
    logs.note(app.id, "Release \(release.version) created by user \(release.account.email)")
    logger.info("release created", metadata: ["app": "\(app.name)", "release": "\(release.version)"])
    output.detail("Released \(release.version)")
    output.detail("\(url(of: app.name)) deployed to paas")
    output.text("\n")
  }

  /// Puts out a table with what the ledger now says, and waits for the router to use it. Returns when it does, or when
  /// it has been given time enough.
  func switchRoutes(of app: AppID) async {
    let wanted = await publishRoutes()
    let isInForce = if let wanted { await routes.inForce(wanted) } else { false }
    if !isInForce {
      logger.error("router did not confirm the routing table in time", metadata: ["app": "\(app)"])
    }
  }

  /// Undoes what was begun: the release fails, its instances stop, nothing else changes. Returns what to tell.
  func abandon(_ candidate: Candidate, because error: any Error) async -> DeployFailure {
    let release = candidate.release
    let failure = await explain(error, build: candidate.build?.id, phase: .commit)
    do {
      let isLive = try await store.write { ledger in
        try ledger.failRelease(release, failure.oneLine)
        try ledger.addFailure(
          app: release.app, phase: failure.phase.rawValue, code: failure.code, message: failure.message)
        return try ledger.release(release.id)?.status == .succeeded
      }
      if isLive { return failure }
    } catch {
      logger.error("failure not written down", metadata: ["app": "\(release.app)", "cause": "\(error)"])
    }
    logs.note(release.app, "Release \(release.version) failed: \(failure.oneLine)")
    logger.info(
      "release failed",
      metadata: ["app": "\(candidate.launch.app.name)", "release": "\(release.version)", "code": "\(failure.code)"])
    retire(candidate.launch.keys, of: release.app)
    return failure
  }

  /// The failure behind an error: a build that was superseded or cancelled fails with that, whatever broke first.
  func explain(_ error: any Error, build: BuildID?, phase: DeployPhase) async -> DeployFailure {
    if let build, let record = try? await store.read({ try $0.build(build) }) {
      if let newer = record.supersededBy { return .superseded(by: newer) }
    }
    let failure = DeployFailure(any: error, phase: phase)
    if failure.code == .cancelled, stopping.withLock({ $0 }) { return .platformRestarted }
    if failure.code == .platformError {
      logger.error("deploy failed inside the platform", metadata: ["cause": "\(error)"])
    }
    return failure
  }
}
