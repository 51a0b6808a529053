import Linux
import Logging
import Platform
import Store
import Synchronization
import Wire

/// When to try again after failures in a row: 1 s, doubled up to 5 minutes.
struct Backoff: Sendable, Equatable {
  private(set) var failures = 0
  private(set) var notBefore: ContinuousClock.Instant?

  func mayTry(at now: ContinuousClock.Instant) -> Bool { notBefore.map { now >= $0 } ?? true }

  mutating func failed(at now: ContinuousClock.Instant) {
    notBefore = now + min(.seconds(1 << min(failures, 9)), .seconds(300))
    failures += 1
  }
}

extension Instance.State {
  /// Nothing runs, or nobody knows.
  var isDown: Bool {
    switch self {
    case .crashed, .lost: true
    case .starting, .up, .stopping: false
    }
  }
}

// One loop that makes the world match the ledger: at the start, after a crash, in normal work.
extension ControlPlane {
  /// Keeps the world matching until cancelled.
  public func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.followEngine() }
      group.addTask {
        while !Task.isCancelled {
          let rings = self.changed.rings
          await self.reconcile()
          await self.changed.wait(after: rings, until: .now + .seconds(5))
        }
      }
    }
  }

  /// One round: unfinished destroys go on, every app gets what the ledger says, and the routes follow.
  func reconcile() async {
    do {
      let (apps, intents) = try await store.read { (try $0.apps(), try $0.intents()) }
      for intent in intents where intent.kind == .destroy && mayTry(intent.app) {
        goOnDestroying(intent.app)
      }
      for app in apps where mayTry(app.id) {
        if let isWell = await releaseLocks.tryHold(app.id, { await self.reconcile(app.id) }) {
          await note(app.id, isWell: isWell)
        }
      }
    } catch {
      logger.error("ledger not read", metadata: ["cause": "\(error)"])
    }
    await publishRoutes()
  }

  /// In a task of its own, at most one per app: a destroy may wait for its app's release lock for long, and no other
  /// app should wait with it.
  private func goOnDestroying(_ app: AppID) {
    Task {
      if let isWell = await self.destroyLocks.tryHold(app, { await self.finishDestroy(app) }) {
        await self.note(app, isWell: isWell)
      }
    }
  }

  private func mayTry(_ app: AppID) -> Bool { retries.withLock { $0[app]?.mayTry(at: .now) ?? true } }

  private func note(_ app: AppID, isWell: Bool) async {
    retries.withLock { retries in
      if isWell {
        retries[app] = nil
      } else {
        retries[app, default: Backoff()].failed(at: .now)
      }
    }
  }

  /// Starts what is missing and stops what is too much; `false` when something could not be done. The caller holds the
  /// app's release lock, so nothing is on its way.
  private func reconcile(_ app: AppID) async -> Bool {
    let instances = await engine.instances(of: app)
    guard let launch = try? await currentLaunch(of: app) else {  // nothing deployed
      retireStrays(instances, of: app, wanted: [])
      return true
    }
    retireStrays(instances, of: app, wanted: Set(launch.keys))
    let surplus = launch.rows.filter { row in instances.contains { row.isExceeded(by: $0) } }
    shrink(app, surplus)
    // The engine restarts what was up once; what crashed before it was ever up it leaves to us and our patience.
    let wanting = launch.rows.filter { row in
      instances.filter { row.includes($0) && !$0.state.isDown }.count < row.quantity
    }
    if wanting.isEmpty { return true }
    let hasCrashed = instances.contains { instance in wanting.contains { $0.includes(instance) } }
    return await start(wanting, of: launch) && !hasCrashed
  }

  private func start(_ rows: [FormationRecord], of launch: Launch) async -> Bool {
    do {
      try await prepare(launch)
      for workload in rows.compactMap({ launch.workload($0) }) {
        try await engine.apply(workload)
        watchBoot(workload)
      }
      logger.info(
        "instances started",
        metadata: ["app": "\(launch.app.name)", "types": "\(rows.map(\.type.description).joined(separator: " "))"])
      return true
    } catch {
      await note(DeployFailure(any: error, phase: .boot), of: launch.app.id)
      logger.error("instances not started", metadata: ["app": "\(launch.app.name)", "cause": "\(error)"])
      return false
    }
  }

  /// Nobody waits for these instances; the routes take them in when they are up.
  private func watchBoot(_ workload: Workload) {
    Task {
      do {
        try await self.engine.booted(workload.key, timeout: self.configuration.bootTimeout)
        await self.publishRoutes()
      } catch {
        await self.note(DeployFailure(any: error, phase: .boot), of: workload.key.app)
      }
    }
  }

  private func note(_ failure: DeployFailure, of app: AppID) async {
    logs.note(app, "Error \(failure.oneLine)")
    do {
      try await store.write { ledger in
        guard try ledger.app(app) != nil else { return }
        try ledger.addFailure(app: app, phase: failure.phase.rawValue, code: failure.code, message: failure.message)
      }
    } catch {
      logger.error("failure not written down", metadata: ["app": "\(app)", "cause": "\(error)"])
    }
  }

  /// Instances of a launch that is not current and not on its way out: left by a server that died.
  private func retireStrays(_ instances: [Instance], of app: AppID, wanted: Set<WorkloadKey>) {
    let busy = retiring.withLock { $0 }
    let strays = Set(instances.map(\.key)).subtracting(wanted).filter { !busy.contains($0.launch) }
    if !strays.isEmpty { retire(Array(strays), of: app) }
  }

  /// The engine's news: the routes follow at once, and the app's log says what a person wants to know.
  private func followEngine() async {
    for await event in await engine.events() {
      let instance = event.instance
      switch instance.state {
      case .crashed(let status, _):
        logs.note(instance.key.app, "Process exited with status \(status)", process: instance.name)
        logs.note(instance.key.app, "State changed to crashed", process: instance.name)
      case .up: logs.note(instance.key.app, "State changed from starting to up", process: instance.name)
      case .starting, .stopping, .lost: break
      }
      await publishRoutes()
    }
  }
}
