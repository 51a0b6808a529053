public import Buildpacks
import Glibc
import Linux
public import Logging
public import Platform
public import Store
import Synchronization
public import Wire

/// The server's decisions, behind one facade: what the API calls. Every method that acts for somebody takes the account
/// and checks its rights; apps are given by name or id. Throws ``APIError`` for everything a client should hear.
public final class ControlPlane: Sendable {
  public let configuration: ControlPlaneConfiguration
  let store: Store
  let engine: any Engine
  let builder: BuildStep
  let logger: Logger

  /// "One release at a time per app": held from step 4 of a deploy to the switch of the routes.
  let releaseLocks = NamedLocks<AppID>()
  /// "One build at a time per app": never held together with a release lock.
  let buildLocks = NamedLocks<AppID>()
  /// "One destroy at a time per app": taken before its release lock.
  let destroyLocks = NamedLocks<AppID>()
  /// "One removal of slugs at a time".
  let slugLock = NamedLocks<String>()
  /// "One table at a time": so that an older look at the ledger is never put out after a newer one.
  let tableLock = NamedLocks<String>()
  let sessions = Sessions()
  let desk = ReceiverDesk()
  let routes: Routes
  let traffic = Traffic()
  let hooks: Hooks
  let logs: AppLogs
  /// Rung when the world may not match the ledger any more.
  let changed = Bell()
  let running = Mutex<[BuildID: RunningBuild]>([:])
  /// Launches that are drained and stopped right now.
  let retiring = Mutex<Set<LaunchID>>([])
  /// Apps of which instances that are too many are drained and stopped right now.
  let shrinking = Mutex<Set<AppID>>([])
  let retries = Mutex<[AppID: Backoff]>([:])
  /// Apps and domains that the last table is without, by id.
  let leftOut = Mutex<Set<String>>([])
  /// When somebody's claim of somebody else's name was last written down.
  let claimsNoted = Mutex<[String: ContinuousClock.Instant]>([:])
  /// The server ends; builds that are cancelled now were not cancelled by a person.
  let stopping = Mutex(false)

  /// Makes the facade; nothing moves before ``start()``.
  public init(
    configuration: ControlPlaneConfiguration, store: Store, engine: any Engine, builder: BuildStep, logger: Logger
  ) async throws {
    self.configuration = configuration
    self.store = store
    self.engine = engine
    self.builder = builder
    self.logger = logger
    routes = Routes(installation: configuration.installation, bootID: Machine.bootID)
    hooks = Hooks(directory: configuration.dataDirectory + "/hooks")
    logs = AppLogs(directory: configuration.dataDirectory + "/logs")
    for directory in ["builds", "cache", "slugs", "logs", "hooks/pre-deploy.d"] {
      try Files.makeDirectory("\(configuration.dataDirectory)/\(directory)", mode: 0o711)
    }
  }

  /// The same with the builder that a server has.
  public convenience init(
    configuration: ControlPlaneConfiguration, store: Store, engine: any Engine, builder: SlugBuilder, logger: Logger
  ) async throws {
    try await self.init(
      configuration: configuration, store: store, engine: engine, builder: BuildStep(builder), logger: logger)
  }

  /// `GET /platform`; the pids of the roles are the executable's to know.
  public func platform(receiver: Int32?, router: Int32?) -> PlatformResource {
    PlatformResource(
      version: configuration.version, installation: configuration.installation.description,
      domain: configuration.domain, ssh: configuration.ssh.description, http: configuration.http.description,
      api: configuration.api.description, receiver_pid: receiver, router_pid: router, server_pid: getpid())
  }

  /// What the engine can do here, for `paas doctor`.
  public func capabilities() async -> EngineCapabilities { await engine.capabilities() }

  /// The host user that builds and instances of this app run as, in root mode. When the ledger cannot say it, one that
  /// no app owns: the start then fails on permissions and shares no other app's files.
  public func hostUser(of app: AppID) async -> UInt32 {
    do {
      if let index = try await store.read({ try $0.app(app)?.uidIndex }) {
        return configuration.uidBase + UInt32(clamping: index)
      }
    } catch {
      logger.error("host user not read", metadata: ["app": "\(app)", "cause": "\(error)"])
    }
    return configuration.uidBase + Self.nobodysIndex
  }

  /// An index of a host user that is never given to an app.
  static let nobodysIndex: UInt32 = 999_999

  /// The directory of one build.
  func buildDirectory(_ build: BuildID) -> String { "\(configuration.dataDirectory)/builds/\(build)" }

  /// `http://NAME.DOMAIN:PORT/`
  func url(of name: AppName) -> String { "http://\(name).\(configuration.domain):\(configuration.http.port)/" }
}
