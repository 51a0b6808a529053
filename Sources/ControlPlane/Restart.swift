public import Platform
import Store

extension ControlPlane {
  /// Starts the types anew beside the old ones, without a new release. `dyno`: `web.1`, `web`, or `nil` for all;
  /// one instance takes its type with it.
  public func restart(_ app: String, dyno: String?, by account: Account) async throws {
    let record = try await find(app, by: account)
    try await releaseLocks.hold(record.id) {
      let old = try await self.currentLaunch(of: record.id)
      var new = old
      new.id = LaunchID()
      new.rows = try FormationPlan.restarted(old.rows, dyno: dyno, types: old.release.processTypes).map { row in
        FormationRecord(type: row.type, quantity: row.quantity, launch: new.id)
      }
      let (launch, rows) = (new, new.rows)
      try await self.store.write { try $0.addIntent(.launch, app: record.id, launch: launch.id) }
      do {
        try await self.prepare(launch)
        try await self.startAll(launch)
        try await self.store.write { ledger in
          try ledger.setFormation(rows, of: record.id)
          try ledger.endIntent(launch: launch.id)
        }
      } catch {
        self.retire(launch.keys, of: record.id)
        throw DeployFailure(any: error, phase: .boot).apiError
      }
      self.logs.note(record.id, "Restarted \(dyno ?? "all processes") by user \(account.email)")
      await self.switchRoutes(of: record.id)
      let replaced = old.rows.filter { row in rows.contains { $0.type == row.type } }
      self.retire(
        replaced.compactMap { row in
          row.launch.map { WorkloadKey(app: record.id, launch: $0, process: row.type) }
        }, of: record.id)
    }
  }
}
