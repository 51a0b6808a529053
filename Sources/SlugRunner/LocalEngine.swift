public import Logging
import Linux
public import Platform
public import Sandbox

/// The engine of this machine: each instance runs in a sandbox under conmon, which outlives this process. What a dead
/// server left is taken up again by ``adopt()``.
public actor LocalEngine: Engine {
  public struct Configuration: Sendable {
    /// Absolute; the engine's files are below `engine/` and `logs/`. Every user of an app must be able to enter it
    /// (mode 0711).
    public var dataDirectory: String
    public var installation: InstallationID
    /// The program that answers to `worker unpack`.
    public var programPath: String
    /// The host user of an app. Not asked where the sandbox has no users per app.
    public var uidForApp: @Sendable (AppID) async -> UInt32
    public var slugPath: @Sendable (SlugDigest) -> String
    /// Between SIGTERM and SIGKILL when ``LocalEngine/apply(_:)`` has instances too many.
    public var stopGrace = Duration.seconds(30)
    /// A process without a port is up when it has been alive for this long.
    public var settleTime = Duration.seconds(1)
    public var limits = SandboxLimits()
    /// How long a dead server's leases are respected that nobody can release any more.
    public var orphanedLeaseTime = Duration.seconds(120)
    /// How often an instance that is up is asked whether its port is still its own.
    public var portCheckInterval = Duration.seconds(3)

    public init(
      dataDirectory: String, installation: InstallationID, programPath: String,
      uidForApp: @escaping @Sendable (AppID) async -> UInt32, slugPath: @escaping @Sendable (SlugDigest) -> String
    ) {
      self.dataDirectory = dataDirectory
      self.installation = installation
      self.programPath = programPath
      self.uidForApp = uidForApp
      self.slugPath = slugPath
    }
  }

  /// One instance, living or waiting to be started again.
  struct Slot {
    var record: InstanceRecord
    var state: Instance.State
    var launching = false
    var upAt: ContinuousClock.Instant?
    var stopTask: Task<Void, Never>?
  }

  let configuration: Configuration
  let sandbox: Sandbox
  let logger: Logger
  let directory: EngineDirectory
  let launcher: Launcher
  let shelf: SlugShelf
  var slots: [InstanceID: Slot] = [:]
  var leases = PortLeases()
  var leaseSave: Task<Void, Never>?
  private var unpacking: [String: Task<Void, any Error>] = [:]
  private var broadcast = Broadcast()

  public init(configuration: Configuration, sandbox: Sandbox, logger: Logger) {
    self.configuration = configuration
    self.sandbox = sandbox
    self.logger = logger
    directory = EngineDirectory(data: configuration.dataDirectory)
    launcher = Launcher(sandbox: sandbox, directory: directory, limits: configuration.limits)
    shelf = SlugShelf(directory: directory, sandbox: sandbox, programPath: configuration.programPath)
  }

  public func capabilities() async -> EngineCapabilities { sandbox.capabilities }

  public func instances(of app: AppID?) async -> [Instance] {
    slots.values.filter { app == nil || $0.record.workload.key.app == app }
      .map { $0.record.instance($0.state) }.sorted { $0.id < $1.id }
  }

  public func events() async -> AsyncStream<EngineEvent> {
    let (stream, continuation) = AsyncStream.makeStream(of: EngineEvent.self)
    let number = broadcast.add(continuation)
    continuation.onTermination = { [weak self] _ in
      Task { await self?.forgetListener(number) }
    }
    return stream
  }

  private func forgetListener(_ number: Int) { broadcast.remove(number) }

  /// Changes an instance's state and tells everybody.
  func change(_ id: InstanceID, to state: Instance.State) {
    guard var slot = slots[id] else { return }
    slot.state = state
    slots[id] = slot
    logger.info("instance changed", metadata: metadata(slot.record, ["state": "\(state)"]))
    broadcast.send(EngineEvent(instance: slot.record.instance(state), at: .now))
  }

  func metadata(_ record: InstanceRecord, _ more: Logger.Metadata = [:]) -> Logger.Metadata {
    more.merging([
      "app": "\(record.workload.appName)", "release": "\(record.workload.release)", "instance": "\(record.name)",
      "id": "\(record.id)",
    ]) { $1 }
  }

  public func prepare(app: AppID, slug: Slug) async throws { _ = try await ready(app: app, slug: slug) }

  /// Verifies the slug's file, unpacks it where that has not been done, and returns the tree's path.
  func ready(app: AppID, slug: Slug) async throws -> String {
    guard sandbox.capabilities.canRun else {
      throw BootFailure.sandbox(SandboxError.unavailable(sandbox.capabilities.missing).message)
    }
    let path = configuration.slugPath(slug.digest)
    let file = try await blocking { [directory, shelf] in
      try directory.make()
      return try shelf.openVerified(slug.digest, path: path)
    }
    defer { closeDescriptor(file) }
    let tree = shelf.tree(app, slug.digest)
    if let running = unpacking[tree] {
      try await running.value
    } else if !Files.exists(tree) {
      let task = Task { [shelf, configuration, sandbox] in
        let user = sandbox.capabilities.perAppUsers ? await configuration.uidForApp(app) : 0
        try await shelf.unpack(file, app: app, digest: slug.digest, hostUser: user)
      }
      unpacking[tree] = task
      defer { unpacking[tree] = nil }
      try await task.value
    }
    let inUse = Set(slots.values.map(\.record.workload.slug.digest))
    try await blocking { [shelf] in try shelf.used(app, slug.digest, inUse: inUse) }
    return tree
  }

  public func forget(app: AppID) async {
    let keys = Set(slots.values.map(\.record.workload.key).filter { $0.app == app })
    for key in keys { await stop(key, grace: .zero) }
    do {
      try await blocking { [directory] in try Files.removeTree(directory.unpacked(app)) }
    } catch {
      logger.error("unpacked slugs of a removed app stay", metadata: ["app": "\(app)", "error": "\(error)"])
    }
  }
}
