import Linux
import Logging
public import Platform
import Store
public import Wire

extension ControlPlane {
  /// The app of this name or id. Throws `not_found`, also for an account that may not use it: it learns neither that
  /// the app exists nor whose it is.
  func find(_ app: String, by account: Account) async throws -> AppRecord {
    let record = try await store.read { ledger in
      if let id = AppID(app) { return try ledger.app(id) }
      return try (try? AppName(app)).flatMap { try ledger.app(named: $0) }
    }
    guard let record, record.deletedAt == nil, account.isAdmin || record.owner.id == account.id else {
      throw APIError.notFound("app", app, next: "see `paas apps`, or `paas apps:create NAME`")
    }
    return record
  }

  /// Those that the account may use, by name.
  public func apps(by account: Account) async throws -> [AppResource] {
    let (apps, settings) = try await store.read { (try $0.apps(), try $0.routeSettings()) }
    return apps.filter { account.isAdmin || $0.owner.id == account.id }.map {
      resource($0, isInMaintenance: settings[$0.id]?.isInMaintenance ?? false)
    }
  }

  public func app(_ app: String, by account: Account) async throws -> AppResource {
    let record = try await find(app, by: account)
    let settings = try await store.read { try $0.routeSettings(of: record.id) }
    return resource(record, isInMaintenance: settings.isInMaintenance)
  }

  /// Without a name, one is made up.
  public func createApp(_ create: AppCreate, by account: Account) async throws -> AppResource {
    let name: AppName
    do throws(NameError) {
      name = try AppName(create.name ?? Self.madeUpName())
    } catch {
      throw APIError.invalid(error)
    }
    return resource(try await createApp(named: name, by: account), isInMaintenance: false)
  }

  func createApp(named name: AppName, by account: Account) async throws -> AppRecord {
    do {
      let record = try await store.write { try $0.createApp(name, owner: account) }
      try logs.make(record.id)
      logs.note(record.id, "Create app \(name) by user \(account.email)")
      logger.info("app created", metadata: ["app": "\(name)", "account": "\(account.email)"])
      await publishRoutes()
      return record
    } catch let error as StoreError {
      throw APIError.conflict(error.message, next: error.nextStep)
    }
  }

  /// Takes the app out of sight at once, then removes everything of it; what cannot be removed now is removed later.
  public func destroyApp(_ app: String, by account: Account) async throws -> AppResource {
    let record = try await find(app, by: account)
    let standard = reservedNames.defaultHost(of: record.name)
    try await destroyLocks.hold(record.id) {
      try await self.store.write { ledger in
        try ledger.beginDestroy(record.id)
        try ledger.removeMounts(on: standard)
      }
      self.logger.info("app is being destroyed", metadata: ["app": "\(record.name)", "account": "\(account.email)"])
      await self.finishDestroy(record.id)
    }
    return resource(record, isInMaintenance: false)
  }

  private static func madeUpName() -> String {
    let first = ["quiet", "brave", "early", "green", "lucky", "misty", "swift", "sunny"].randomElement() ?? "quiet"
    let second = ["river", "field", "cloud", "stone", "leaf", "wave", "hill", "moon"].randomElement() ?? "river"
    return "\(first)-\(second)-\(Int.random(in: 10000...99999))"
  }

  func resource(_ app: AppRecord, isInMaintenance: Bool) -> AppResource {
    AppResource(
      id: app.id.description, name: app.name.description,
      owner: AccountReference(id: app.owner.id.description, email: app.owner.email),
      git_url: "ssh://paas@\(configuration.ssh)/\(app.name).git", web_url: url(of: app.name),
      stack: NamedReference(id: "host", name: "host"), created_at: app.createdAt.rfc3339,
      updated_at: app.updatedAt.rfc3339, released_at: app.releasedAt?.rfc3339,
      maintenance: isInMaintenance)
  }
}
