public import Platform
import Store
public import Wire

extension ControlPlane {
  /// What runs, with `web` first.
  public func dynos(_ app: String, by account: Account) async throws -> [DynoResource] {
    let record = try await find(app, by: account)
    let (rows, release) = try await store.read { ledger in
      (try ledger.formation(of: record.id), try ledger.currentRelease(of: record.id))
    }
    let order = Dictionary(uniqueKeysWithValues: rows.enumerated().map { ($1.type, $0) })
    return await engine.instances(of: record.id).filter { instance in
      rows.contains { $0.includes(instance) }
    }.sorted { (order[$0.key.process] ?? 0, $0.index) < (order[$1.key.process] ?? 0, $1.index) }.map { instance in
      resource(instance, of: release, isAdmin: account.isAdmin)
    }
  }

  private func resource(_ instance: Instance, of release: ReleaseRecord?, isAdmin: Bool) -> DynoResource {
    let created = Timestamp(of: instance.id)
    let (state, since) = instance.state.shown
    return DynoResource(
      id: instance.id.description, name: instance.name, type: instance.key.process.description,
      command: release?.processTypes[instance.key.process] ?? "", state: state,
      release: NamedReference(id: release?.id.description ?? "", name: instance.release.description),
      pid: isAdmin ? instance.pid : nil, created_at: created.rfc3339, updated_at: (since ?? created).rfc3339)
  }
}

extension FormationRecord {
  /// The ledger wants this instance to run.
  func includes(_ instance: Instance) -> Bool { isOfThis(instance) && instance.index <= quantity }
  /// The instance is of the current launch, but one too many.
  func isExceeded(by instance: Instance) -> Bool { isOfThis(instance) && instance.index > quantity }

  private func isOfThis(_ instance: Instance) -> Bool {
    launch == instance.key.launch && type == instance.key.process
  }
}

extension Timestamp {
  /// When an id was made: a UUIDv7 begins with its milliseconds (RFC 9562 section 5.7).
  init<Resource>(of id: ID<Resource>) {
    let digits = id.description.prefix(13).filter { $0 != "-" }
    self.init(microseconds: (Int64(digits, radix: 16) ?? 0) * 1000)
  }
}

extension Instance.State {
  /// As the API names it, and since when where that is known.
  var shown: (name: String, since: Timestamp?) {
    switch self {
    case .starting: ("starting", nil)
    case .up(let since): ("up", since)
    case .stopping: ("stopping", nil)
    case .crashed(_, let at): ("crashed", at)
    case .lost: ("lost", nil)
    }
  }
}
