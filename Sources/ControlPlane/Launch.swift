import Linux
import Logging
import Platform
import Store
import Synchronization

/// One start of an app's process types, or of some of them.
struct Launch: Sendable {
  var id: LaunchID
  var app: AppRecord
  var release: ReleaseRecord
  var config: ConfigVars
  /// The types that this launch runs, as the ledger will say at the commit point.
  var rows: [FormationRecord]

  var keys: [WorkloadKey] { rows.map(key) }

  /// A type that was restarted by itself runs in a launch of its own.
  func key(_ row: FormationRecord) -> WorkloadKey {
    WorkloadKey(app: app.id, launch: row.launch ?? id, process: row.type)
  }

  /// One per type that has instances; none for a release without a slug.
  var workloads: [Workload] { rows.filter { $0.quantity > 0 }.compactMap { workload($0) } }

  func workload(_ row: FormationRecord) -> Workload? {
    guard let slug = release.slug, let command = release.processTypes[row.type] else { return nil }
    return Workload(
      key: key(row), appName: app.name, release: release.version, slug: slug, command: command,
      quantity: row.quantity, environment: Environment.of(app.app, release, config: config))
  }
}

extension ControlPlane {
  /// Makes the slug ready to start. Throws ``BootFailure``.
  func prepare(_ launch: Launch) async throws {
    guard let slug = launch.release.slug else { return }
    try Task.checkCancellation()
    try await engine.prepare(app: launch.app.id, slug: slug)
  }

  /// Starts all types and waits until they are up. Throws ``BootFailure``; what was started is the caller's to stop.
  func startAll(_ launch: Launch) async throws { try await start(launch.workloads) }

  func start(_ workloads: [Workload]) async throws {
    try Task.checkCancellation()
    for workload in workloads { try await engine.apply(workload) }
    let limit = configuration.bootTimeout
    try await withThrowingTaskGroup(of: Void.self) { group in
      for workload in workloads {
        group.addTask { try await self.interruptible { try await self.engine.booted(workload.key, timeout: limit) } }
      }
      try await group.waitForAll()
    }
  }

  /// Waits for the work, or until this task is cancelled; the work itself then goes on without anybody waiting.
  func interruptible(_ work: @escaping @Sendable () async throws -> Void) async throws {
    let (done, finish) = AsyncThrowingStream<Void, any Error>.makeStream()
    Task {
      do {
        try await work()
        finish.finish()
      } catch {
        finish.finish(throwing: error)
      }
    }
    for try await _ in done {}
    try Task.checkCancellation()
  }

  /// Drains and stops, behind everybody's back, what is not current any more. Their addresses are free again when the
  /// router uses a table without them. Repeating it, or a crash in the middle, does no harm.
  func retire(_ keys: [WorkloadKey], of app: AppID) {
    let launches = Set(keys.map(\.launch))
    retiring.withLock { $0.formUnion(launches) }
    Task {
      await self.stop(keys, of: app)
      do {
        try await self.store.write { ledger in for launch in launches { try ledger.endIntent(launch: launch) } }
      } catch {
        self.logger.error("launch intent not ended", metadata: ["app": "\(app)", "cause": "\(error)"])
      }
      self.retiring.withLock { $0.subtract(launches) }
    }
  }

  /// The same, and returns when they are gone. With `patience` they are stopped after that time even if the router has
  /// not confirmed that it sends them nothing more; their addresses stay taken until it does.
  func stop(_ keys: [WorkloadKey], of app: AppID, patience: Duration? = nil) async {
    let instances = await engine.instances(of: app).filter { keys.contains($0.key) }
    let isDrained = await drained(instances, of: app, patience: patience)
    await withTaskGroup(of: Void.self) { group in
      for key in Set(keys) {
        group.addTask { await self.engine.stop(key, grace: self.configuration.stopGrace) }
      }
    }
    if isDrained { return await engine.release(instances.compactMap(\.address)) }
    Task {
      if await self.drained(instances, of: app) { await self.engine.release(instances.compactMap(\.address)) }
    }
  }

  /// ``drain(_:of:)`` until it succeeds; `false` when the patience is over or this task is cancelled.
  func drained(_ instances: [Instance], of app: AppID, patience: Duration? = nil) async -> Bool {
    let deadline = patience.map { ContinuousClock.now + $0 }
    while await !drain(instances, of: app) {
      if Task.isCancelled { return false }
      if let deadline, deadline <= .now { return false }
      logger.error("router did not confirm the routing table; still waiting", metadata: ["app": "\(app)"])
      // The router may be starting again; asking more often helps nobody. A sleep that is cancelled throws, and the next
      // round ends.
      try? await Task.sleep(for: .seconds(1))
    }
    return true
  }

  /// Waits until the router sends these instances nothing more and has nothing in flight there. `false` when it did not
  /// confirm a table without them: it may still use their addresses.
  private func drain(_ instances: [Instance], of app: AppID) async -> Bool {
    let served = instances.filter { $0.address != nil }
    guard !served.isEmpty else { return true }
    guard let wanted = await publishRoutes(), await routes.released(wanted) else { return false }
    if await !routes.drained(Set(served.map(\.id)), within: configuration.stopGrace) {
      logger.info("requests still in flight after the grace time", metadata: ["app": "\(app)"])
    }
    return true
  }

  /// Says what is left out of the table, and why: when it begins, not each time.
  private func tellOnce(unreadable: [App], stale: [DomainRecord]) {
    let now = Set(unreadable.map(\.id.description) + stale.map(\.id))
    let known = leftOut.withLock { old in
      defer { old = now }
      return old
    }
    for app in unreadable where !known.contains(app.id.description) {
      logger.error("route settings cannot be read, the app is in maintenance", metadata: ["app": "\(app.name)"])
    }
    for domain in stale where !known.contains(domain.id) {
      logger.warning(
        "domain not served: it belongs to the platform now",
        metadata: ["app": "\(domain.app.name)", "domain": "\(domain.shown)"])
    }
  }

  /// Puts out the table that ledger and engine now yield. Returns its count of changes; `nil` when the old one stays.
  @discardableResult
  func publishRoutes() async -> UInt64? {
    await tableLock.hold("table") {
      do {
        let reserved = self.reservedNames
        let (wishes, stale) = try await self.store.read { ledger in
          let wishes = try ledger.routeWishes()
          let concerns = wishes.contains { $0.domains.contains { reserved.label(of: $0.host) != nil } }
          let apps = concerns ? try ledger.apps() : []
          return (wishes, RouteTable.stale(wishes, apps: apps, reserved: reserved))
        }
        self.tellOnce(unreadable: wishes.filter(\.hasUnreadableSettings).map(\.app), stale: stale)
        let instances = await self.engine.instances(of: nil)
        return await self.routes.publish(
          RouteTable.apps(
            wishes, instances: instances, domain: self.configuration.domain, without: Set(stale.map(\.id))))
      } catch {
        self.logger.error("routing table not renewed", metadata: ["cause": "\(error)"])
        return nil
      }
    }
  }
}
