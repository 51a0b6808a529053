public import Platform
import Store
public import Wire

extension ControlPlane {
  public func configVars(_ app: String, by account: Account) async throws -> [String: String] {
    let record = try await find(app, by: account)
    return Self.plain(try await store.read { try $0.currentConfig(of: record) })
  }

  /// Sets and removes config vars in one new release, which starts beside the old one. A change that changes nothing
  /// makes none.
  public func setConfigVars(_ app: String, patch: ConfigVarsPatch, by account: Account) async throws
    -> (vars: [String: String], release: ReleaseVersion?)
  {
    let record = try await find(app, by: account)
    let wanted = try Self.checked(patch)
    let version = try await releaseLocks.hold(record.id) { () -> ReleaseVersion? in
      guard let change = try await self.configChange(wanted, app: record.id, by: account) else { return nil }
      do {
        return try await self.release(change, to: .none).version
      } catch let failure as DeployFailure {
        throw failure.apiError
      }
    }
    return (try await configVars(record.id.description, by: account), version)
  }

  /// Names by the rules of ``ConfigKey``, none of the platform's own; values without NUL, 64 KiB at most.
  static func checked(_ patch: ConfigVarsPatch) throws(APIError) -> [ConfigKey: String?] {
    var result: [ConfigKey: String?] = [:]
    for (name, value) in patch {
      let key: ConfigKey
      do throws(NameError) { key = try ConfigKey(name) } catch { throw .invalid(error) }
      if Environment.isReserved(key) { throw .invalid("\(key) is set by the platform", next: "choose another name") }
      if let value, value.utf8.contains(0) { throw .invalid("the value of \(key) holds a NUL byte") }
      if let value, value.utf8.count > 64 << 10 { throw .invalid("the value of \(key) is longer than 64 KiB") }
      result.updateValue(value, forKey: key)
    }
    return result
  }

  private func configChange(_ wanted: [ConfigKey: String?], app: AppID, by account: Account) async throws -> Change? {
    try await store.read { ledger in
      guard let record = try ledger.app(app), record.deletedAt == nil else { throw DeployFailure.appDestroyed.apiError }
      let now = try ledger.currentConfig(of: record)
      let changes = wanted.filter { now[$0.key] != $0.value }
      if changes.isEmpty { return nil }
      let live = try ledger.currentRelease(of: app)
      let new = NewRelease(
        kind: .config, description: Descriptions.config(changes), slug: live?.slug, stack: live?.stack,
        commit: live?.commit, processTypes: live?.processTypes ?? [:])
      return Change(app: app, account: account, new: new, patch: changes)
    }
  }

  private static func plain(_ vars: ConfigVars) -> [String: String] {
    Dictionary(uniqueKeysWithValues: vars.map { ($0.key.description, $0.value) })
  }
}
