public import Logging
public import Platform
public import Store
public import Wire

/// The server's decisions, behind one facade: what the API calls. Every method that acts for somebody takes the account
/// and checks its rights; apps are given by name or id. Throws ``APIError`` for everything a client should hear.
public final class ControlPlane: Sendable {
  public let configuration: ControlPlaneConfiguration
  let store: Store
  let engine: any Engine
  let builder: BuildStep
  let logger: Logger

  /// Makes the facade; nothing moves before ``start()``.
  public init(
    configuration: ControlPlaneConfiguration, store: Store, engine: any Engine, builder: BuildStep, logger: Logger
  ) async throws {
    self.configuration = configuration
    self.store = store
    self.engine = engine
    self.builder = builder
    self.logger = logger
  }

  /// Ends what the last server left unfinished and makes the world match the ledger. Call it before serving.
  public func start() async {}
  /// Keeps the world matching until cancelled.
  public func run() async {}
}

private func todo() -> APIError { APIError(id: "not_implemented", message: "not implemented") }

// MARK: accounts, keys, sessions
extension ControlPlane {
  public func authenticate(_ offer: KeyOffer) async throws -> Session { throw todo() }
  public func account(session token: String) async -> Account? { nil }
  public func localAdmin() async throws -> Account { throw todo() }
  public func endSession(token: String) async {}
  public func keys(of account: Account) async throws -> [KeyResource] { throw todo() }
  public func addKey(_ create: KeyCreate, by account: Account) async throws -> KeyResource { throw todo() }
  public func removeKey(_ idOrFingerprint: String, by account: Account) async throws -> KeyResource { throw todo() }
  /// `GET /platform`; the pids are the executable's to know.
  public func platform(receiver: Int32?, router: Int32?) -> PlatformResource {
    PlatformResource(
      version: configuration.version, installation: configuration.installation.description,
      domain: configuration.domain, ssh: configuration.ssh.description, http: configuration.http.description,
      api: configuration.api.description, receiver_pid: receiver, router_pid: router, server_pid: 0)
  }
  public func capabilities() async -> EngineCapabilities { await engine.capabilities() }
}

// MARK: apps and config
extension ControlPlane {
  public func apps(by account: Account) async throws -> [AppResource] { throw todo() }
  public func app(_ app: String, by account: Account) async throws -> AppResource { throw todo() }
  public func createApp(_ create: AppCreate, by account: Account) async throws -> AppResource { throw todo() }
  public func destroyApp(_ app: String, by account: Account) async throws -> AppResource { throw todo() }
  public func configVars(_ app: String, by account: Account) async throws -> [String: String] { throw todo() }
  public func setConfigVars(_ app: String, patch: ConfigVarsPatch, by account: Account) async throws
    -> (vars: [String: String], release: ReleaseVersion?)
  { throw todo() }
}

// MARK: releases, formation, dynos
extension ControlPlane {
  /// Oldest first.
  public func releases(_ app: String, by account: Account) async throws -> [ReleaseResource] { throw todo() }
  public func release(_ app: String, _ idOrVersion: String, by account: Account) async throws -> ReleaseResource {
    throw todo()
  }
  public func rollback(_ app: String, _ request: RollbackRequest, by account: Account) async throws -> ReleaseResource {
    throw todo()
  }
  public func formation(_ app: String, by account: Account) async throws -> [FormationResource] { throw todo() }
  public func scale(_ app: String, _ update: FormationUpdate, by account: Account) async throws -> [FormationResource] {
    throw todo()
  }
  public func dynos(_ app: String, by account: Account) async throws -> [DynoResource] { throw todo() }
  /// `dyno`: `web.1`, `web`, or `nil` for all.
  public func restart(_ app: String, dyno: String?, by account: Account) async throws { throw todo() }
}

// MARK: builds, one-offs, logs
extension ControlPlane {
  /// `source` copies the request's body, a tarball, to the path it is given.
  public func openBuild(
    _ app: String, push: PushContext?, by account: Account, source: @Sendable (String) async throws -> Void
  ) async throws -> BuildResource { throw todo() }
  public func builds(_ app: String, by account: Account) async throws -> [BuildResource] { throw todo() }
  public func build(_ app: String, _ build: String, by account: Account) async throws -> BuildResource { throw todo() }
  /// Encoded records from a byte offset; follows until the exit record.
  public func buildOutput(_ app: String, build: String, offset: Int, by account: Account) async throws
    -> AsyncThrowingStream<[UInt8], any Error>
  { throw todo() }
  public func run(_ app: String, _ request: RunRequest, by account: Account) async throws -> any RunningOneOff {
    throw todo()
  }
  /// Formatted lines without line ends.
  public func logs(_ app: String, lines: Int, tail: Bool, filter: LogFilter, by account: Account) async throws
    -> AsyncThrowingStream<String, any Error>
  { throw todo() }
}

// MARK: receiver and router
extension ControlPlane {
  public func repositoryGrant(_ request: RepositoryRequest) async throws -> RepositoryGrant { throw todo() }
  /// Long poll, 25 s.
  public func receiverWork() async -> [ReceiverWork] { [] }
  public func answerWork(id: String, _ answer: WorkAnswer) async {}
  public func refUpdates(app: AppID?) async throws -> [RefUpdate] { throw todo() }
  public func refUpdateOutcome(build: BuildID, _ outcome: RefUpdateOutcome) async throws { throw todo() }
  /// Long poll, 25 s; `nil`: nothing newer.
  public func routingTable(after generation: UInt64) async -> RoutingTable? { nil }
  public func routerReport(_ report: RouterReport) async {}
  public func routerLogs(_ lines: [RouterLogLine]) async {}
}
