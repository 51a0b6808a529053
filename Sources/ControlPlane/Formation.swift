import Linux
import Logging
public import Platform
import Store
import Synchronization
public import Wire

extension ControlPlane {
  public func formation(_ app: String, by account: Account) async throws -> [FormationResource] {
    let record = try await find(app, by: account)
    return try await store.read { ledger in
      let types = try ledger.currentRelease(of: record.id)?.processTypes ?? [:]
      return try ledger.formation(of: record.id).compactMap { row in
        types[row.type].map {
          FormationResource(type: row.type.description, quantity: row.quantity, command: $0)
        }
      }
    }
  }

  /// More instances are up before the ledger says so and before the old number ends; fewer leave the routes before they
  /// stop. Anything that fails leaves the formation as it was.
  public func scale(_ app: String, _ update: FormationUpdate, by account: Account) async throws -> [FormationResource] {
    let record = try await find(app, by: account)
    try await releaseLocks.hold(record.id) {
      let before = try await self.currentLaunch(of: record.id)
      let after = try FormationPlan.scaled(before.rows, by: update, types: before.release.processTypes)
      let (grown, shrunk) = FormationPlan.difference(before.rows, after)
      if grown.isEmpty && shrunk.isEmpty { return }
      try await self.grow(before, grown)
      try await self.store.write { try $0.setFormation(grown + shrunk, of: record.id) }
      self.logs.note(record.id, "\(Descriptions.scale(grown + shrunk)) by user \(account.email)")
      await self.switchRoutes(of: record.id)
      self.shrink(record.id, shrunk)
    }
    return try await formation(record.id.description, by: account)
  }

  private func grow(_ launch: Launch, _ rows: [FormationRecord]) async throws {
    do {
      try await prepare(launch)
      try await start(rows.compactMap { launch.workload($0) })
    } catch {
      let old = launch.rows.filter { row in rows.contains { $0.type == row.type } }
      await apply(launch, old)
      throw DeployFailure(any: error, phase: .boot).apiError
    }
  }

  /// Behind everybody's back: drains the instances that are too many for these rows, then stops them.
  func shrink(_ app: AppID, _ rows: [FormationRecord]) {
    guard !rows.isEmpty, shrinking.withLock({ $0.insert(app).inserted }) else { return }
    Task {
      let surplus = await self.engine.instances(of: app).filter { instance in
        rows.contains { $0.isExceeded(by: instance) }
      }
      guard await self.drained(surplus, of: app) else { return }  // this task is never cancelled
      await self.releaseLocks.hold(app) { await self.applyCurrent(app, rows.map(\.type)) }
      // Some may have been in use again since: the table without them must be confirmed once more.
      let kept = Set(await self.engine.instances(of: app).map(\.id))
      let gone = surplus.filter { !kept.contains($0.id) }
      if await self.drained(gone, of: app) { await self.engine.release(gone.compactMap(\.address)) }
      _ = self.shrinking.withLock { $0.remove(app) }
    }
  }

  /// Says the ledger's numbers to the engine; what else has changed since does not matter.
  private func applyCurrent(_ app: AppID, _ types: [ProcessType]) async {
    do {
      let launch = try await currentLaunch(of: app)
      await apply(launch, launch.rows.filter { types.contains($0.type) })
    } catch {
      logger.error("scale not carried out", metadata: ["app": "\(app)", "cause": "\(error)"])
    }
  }

  private func apply(_ launch: Launch, _ rows: [FormationRecord]) async {
    do {
      for workload in rows.compactMap({ launch.workload($0) }) { try await engine.apply(workload) }
    } catch {
      logger.error("formation not applied", metadata: ["app": "\(launch.app.name)", "cause": "\(error)"])
    }
  }

  /// What runs now, by the ledger. Throws `conflict` when nothing was deployed.
  func currentLaunch(of app: AppID) async throws -> Launch {
    try await store.read { ledger in
      guard let record = try ledger.app(app), let release = try ledger.currentRelease(of: app), release.slug != nil
      else { throw APIError.conflict("nothing is deployed", next: "git push paas main") }
      let rows = try ledger.formation(of: app).filter { release.processTypes[$0.type] != nil }
      return Launch(
        id: rows.lazy.compactMap(\.launch).first ?? LaunchID(), app: record, release: release,
        config: try ledger.config(of: release.id, app: app), rows: rows)
    }
  }
}
