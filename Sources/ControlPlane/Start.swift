import Linux
import Logging
import Platform
import Store
import Wire

// What a server does about its predecessor.
extension ControlPlane {
  /// Ends what the last server left unfinished, puts out the routes of what still runs, and makes the world match the
  /// ledger. Call it after the engine has adopted its instances, before serving.
  public func start() async {
    do {
      for app in try await store.read({ try $0.apps() }) { try logs.make(app.id) }
      try await endLeftoverBuilds()
      try await endLeftoverReleases()
    } catch {
      logger.error("leftovers of the last server not ended", metadata: ["cause": "\(error)"])
    }
    await publishRoutes()
    await reconcile()
  }

  /// A build that ran when the server died is over: its sandbox ends, its push is refused with B09.
  private func endLeftoverBuilds() async throws {
    for build in try await store.read({ try $0.pendingBuilds() }) {
      await builder.cancel(build.id)
      let failure = DeployFailure.platformRestarted
      try await store.write { ledger in
        for release in try ledger.pendingReleases() where release.build == build.id {
          try ledger.failRelease(release, failure.oneLine)
        }
      }
      await end(build, with: failure)
    }
    try await repairOutputs()
  }

  /// Every stored output ends with an exit record that agrees with the ledger, also that of a build whose server died
  /// after the commit point. Directories that the ledger does not know are removed.
  private func repairOutputs() async throws {
    for name in try Files.names(in: configuration.dataDirectory + "/builds") {
      guard let id = BuildID(name) else { continue }
      guard let build = try await store.read({ try $0.build(id) }) else {
        try await blocking { [directory = buildDirectory(id)] in try Files.removeTree(directory) }
        continue
      }
      do {
        try await repairOutput(of: build)
      } catch {
        logger.error("build output not repaired", metadata: ["build": "\(id)", "cause": "\(error)"])
      }
      await cleanUp(id)
    }
  }

  private func repairOutput(of build: BuildRecord) async throws {
    let path = buildDirectory(build.id) + "/output.records"
    if try await blocking({ try Files.exists(path) && BuildOutput.repair(path) }) { return }
    let output = try BuildOutput(path: path)
    if build.status == .succeeded {
      output.finish(0, StreamExit(committed: true, release: build.releaseVersion))
    } else {
      let failure = DeployFailure(
        .build, build.failureCode ?? .platformRestarted, build.failure ?? DeployFailure.platformRestarted.message,
        next: DeployFailure.platformRestarted.nextStep)
      output.write(Array(PushText.failure(failure).utf8))
      output.finish(1, StreamExit(committed: false, code: failure.code, reason: failure.message))
    }
  }

  /// A release that was not committed never will be; whatever was started for it stops.
  private func endLeftoverReleases() async throws {
    let intents = try await store.write { ledger in
      for release in try ledger.pendingReleases() {
        try ledger.failRelease(release, DeployFailure.platformRestarted.oneLine)
      }
      return try ledger.intents()
    }
    for intent in intents where intent.kind == .launch {
      guard let launch = intent.launch else { continue }
      let keys = await engine.instances(of: intent.app).map(\.key).filter { $0.launch == launch }
      if keys.isEmpty {
        try await store.write { try $0.endIntent(launch: launch) }
      } else {
        logger.info("stopping instances of a launch that was not committed", metadata: ["app": "\(intent.app)"])
        retire(Array(Set(keys)), of: intent.app)
      }
    }
  }
}
