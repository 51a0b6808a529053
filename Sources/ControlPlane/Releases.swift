public import Platform
import Store
public import Wire

extension ControlPlane {
  /// Oldest first.
  public func releases(_ app: String, by account: Account) async throws -> [ReleaseResource] {
    let record = try await find(app, by: account)
    return try await store.read { try $0.releases(of: record.id) }.map { resource($0, of: record) }
  }

  /// `v3`, `3`, a release's id, or `current`.
  public func release(_ app: String, _ idOrVersion: String, by account: Account) async throws -> ReleaseResource {
    let record = try await find(app, by: account)
    return resource(try await find(release: idOrVersion, of: record), of: record)
  }

  /// Goes back to an earlier release's slug and config, as a new release.
  public func rollback(_ app: String, _ request: RollbackRequest, by account: Account) async throws -> ReleaseResource {
    let record = try await find(app, by: account)
    let wanted = try await request.release.asyncMap { try await self.find(release: $0, of: record).version }
    let release = try await releaseLocks.hold(record.id) {
      do {
        return try await self.release(try await self.rollbackChange(wanted, app: record, by: account), to: .none)
      } catch let failure as DeployFailure {
        throw failure.apiError
      }
    }
    return try await self.release(record.id.description, release.id.description, by: account)
  }

  private func rollbackChange(_ wanted: ReleaseVersion?, app: AppRecord, by account: Account) async throws -> Change {
    try await store.read { ledger in
      let all = try ledger.releases(of: app.id)
      let current = try ledger.currentRelease(of: app.id)?.version
      let candidates = try all.map { release in
        RollbackCandidate(
          version: release.version, status: release.status, slug: release.slug?.digest,
          config: release.slug == nil ? [:] : try ledger.config(of: release.id, app: app.id))
      }
      let version: ReleaseVersion
      do throws(RollbackChoice.Refusal) {
        version = try RollbackChoice.pick(wanted, from: candidates, current: current)
      } catch {
        throw error.apiError(app: app.name)
      }
      guard let target = all.first(where: { $0.version == version }) else {
        throw APIError.notFound("release", version.description)
      }
      let new = NewRelease(
        kind: .rollback, description: Descriptions.rollback(to: version), slug: target.slug, stack: target.stack,
        commit: target.commit, processTypes: target.processTypes)
      return Change(app: app.id, account: account, new: new, configFrom: target.id)
    }
  }

  private func find(release text: String, of app: AppRecord) async throws -> ReleaseRecord {
    let found = try await store.read { ledger in
      if text == "current" { return try ledger.currentRelease(of: app.id) }
      if let id = ReleaseID(text) { return try ledger.release(id) }
      return try ReleaseVersion(parsing: text).flatMap { try ledger.release($0, of: app.id) }
    }
    guard let found, found.app == app.id else {
      throw APIError.notFound("release", text, next: "see `paas releases -a \(app.name)`")
    }
    return found
  }

  private func resource(_ release: ReleaseRecord, of app: AppRecord) -> ReleaseResource {
    ReleaseResource(
      id: release.id.description, app: NamedReference(id: app.id.description, name: app.name.description),
      version: release.version.number, description: release.description, status: release.status.rawValue,
      current: release.id == app.currentRelease,
      user: AccountReference(id: release.account.id.description, email: release.account.email),
      slug: release.slug.map { .init(id: $0.digest.description, size: $0.size) },
      commit: release.commit?.description, stack: release.stack?.id,
      process_types: Dictionary(uniqueKeysWithValues: release.processTypes.map { ($0.key.description, $0.value) }),
      failure: release.failure, created_at: release.createdAt.rfc3339, updated_at: release.updatedAt.rfc3339)
  }
}

extension Optional {
  fileprivate func asyncMap<Result>(_ transform: (Wrapped) async throws -> Result) async rethrows -> Result? {
    guard let self else { return nil }
    return try await transform(self)
  }
}
