/// Names one group of like instances: this process type of this release, started in this launch.
public struct WorkloadKey: Hashable, Sendable, Codable {
  public var app: AppID
  public var launch: LaunchID
  public var process: ProcessType

  public init(app: AppID, launch: LaunchID, process: ProcessType) {
    self.app = app
    self.launch = launch
    self.process = process
  }
}

/// Desired state for one process type of one release. `web` gets a port, other types none.
public struct Workload: Sendable, Codable {
  public var key: WorkloadKey
  public var appName: AppName
  public var release: ReleaseVersion
  public var slug: Slug
  /// Run by `sh -c` in `/app`.
  public var command: String
  /// Instances `1…quantity` exist after ``Engine/apply(_:)``; others of this key are stopped.
  public var quantity: Int
  /// The whole environment from config vars and platform, without `PORT`, `DYNO`, `HOME`, which the engine adds.
  public var environment: [String: String]

  public init(
    key: WorkloadKey, appName: AppName, release: ReleaseVersion, slug: Slug, command: String, quantity: Int,
    environment: [String: String]
  ) {
    self.key = key
    self.appName = appName
    self.release = release
    self.slug = slug
    self.command = command
    self.quantity = quantity
    self.environment = environment
  }
}

/// One running (or ended) process of an app.
public struct Instance: Sendable, Hashable, Codable {
  /// `lost` is not `exited`: the engine cannot tell what became of it.
  public enum State: Sendable, Hashable, Codable {
    case starting
    case up(since: Timestamp)
    case stopping
    /// Ended by itself with this status (128 + signal when a signal ended it); a restart may follow.
    case crashed(status: Int, at: Timestamp)
    case lost
  }

  public var id: InstanceID
  public var key: WorkloadKey
  /// From 1; `web.1` is ``name``.
  public var index: Int
  public var release: ReleaseVersion
  public var state: State
  /// Where its web server listens; only `web` has one. The address is leased until ``Engine/release(_:)``.
  public var address: Address?
  /// Of PID 1 of the sandbox, in the host's numbering.
  public var pid: Int32?

  public init(
    id: InstanceID, key: WorkloadKey, index: Int, release: ReleaseVersion, state: State, address: Address? = nil,
    pid: Int32? = nil
  ) {
    self.id = id
    self.key = key
    self.index = index
    self.release = release
    self.state = state
    self.address = address
    self.pid = pid
  }

  /// `web.1`
  public var name: String { "\(key.process).\(index)" }
}

/// An IPv4 or IPv6 address and a TCP port.
public struct Address: Sendable, Hashable, Codable, CustomStringConvertible {
  public var host: String
  public var port: Int

  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  public var description: String { "\(host):\(port)" }
}

/// One process that runs to its end beside the instances: a release phase command or `paas run`.
public struct OneOff: Sendable {
  public var id: InstanceID
  public var app: App
  public var release: ReleaseVersion
  public var slug: Slug
  public var command: String
  public var environment: [String: String]
  /// `DYNO`, for example `run.1234` or `release.5678`.
  public var name: String
  /// A terminal of this size instead of three pipes.
  public var terminal: TerminalSize?

  public init(
    id: InstanceID = InstanceID(), app: App, release: ReleaseVersion, slug: Slug, command: String,
    environment: [String: String], name: String, terminal: TerminalSize? = nil
  ) {
    self.id = id
    self.app = app
    self.release = release
    self.slug = slug
    self.command = command
    self.environment = environment
    self.name = name
    self.terminal = terminal
  }
}

public struct TerminalSize: Sendable, Hashable, Codable {
  public var columns: UInt16
  public var rows: UInt16

  public init(columns: UInt16, rows: UInt16) {
    self.columns = columns
    self.rows = rows
  }
}

/// The three pipe ends (or one terminal) of a one-off process, and its control. Whoever holds it closes it.
public protocol RunningOneOff: Sendable {
  /// Descriptor to write the process's standard input to; the caller closes it to say end of file.
  var input: Int32 { get }
  /// Descriptor to read standard output from.
  var output: Int32 { get }
  /// Descriptor to read standard error from; `nil` with a terminal.
  var errors: Int32? { get }
  func resize(_ size: TerminalSize)
  func signal(_ number: Int32)
  /// Waits for the end; 128 + signal when a signal ended it. Cleans the sandbox up.
  func exitStatus() async -> Int
}

/// What happened to an instance.
public struct EngineEvent: Sendable {
  public var instance: Instance
  public var at: Timestamp

  public init(instance: Instance, at: Timestamp) {
    self.instance = instance
    self.at = at
  }
}

/// Why instances did not come up.
public enum BootFailure: Error, Sendable, Equatable {
  case crashed(instance: String, status: Int, lastLines: [String])
  case timeout(instance: String, after: Duration, lastLines: [String])
  /// The slug on disk is not the one the ledger names.
  case slugDamaged(SlugDigest)
  case slugMissing(SlugDigest)
  case sandbox(String)
}

/// What an engine can do here, found by probing, not by the uid.
public struct EngineCapabilities: Sendable, Codable {
  public var canRun: Bool
  /// What is missing and how to enable it; empty when everything is there.
  public var missing: [String]
  public var perAppUsers: Bool
  public var resourceLimits: Bool

  public init(canRun: Bool, missing: [String], perAppUsers: Bool, resourceLimits: Bool) {
    self.canRun = canRun
    self.missing = missing
    self.perAppUsers = perAppUsers
    self.resourceLimits = resourceLimits
  }
}

/// Whatever starts and keeps processes: this machine first, a cluster engine later. Desired state in, facts out;
/// every call is idempotent, so a server that died in the middle of anything says it again.
public protocol Engine: Sendable {
  /// Makes a slug ready to start on this engine (unpacked once, read-only). Verifies its SHA-256.
  /// Throws ``BootFailure``.
  func prepare(app: AppID, slug: Slug) async throws
  /// Makes exactly these instances exist. Returns when they have been started, not when they are up.
  /// Instances that were up and crash are restarted with a growing delay.
  func apply(_ workload: Workload) async throws
  /// Waits until every instance of the workload is up: `web` accepts connections on its port, other types have stayed
  /// alive for a moment. Throws ``BootFailure``; the instances are left for the caller to stop.
  func booted(_ key: WorkloadKey, timeout: Duration) async throws
  /// Ends all instances of a workload: SIGTERM, then SIGKILL after the grace time. Returns when they are gone.
  func stop(_ key: WorkloadKey, grace: Duration) async
  /// Runs one process to its end, attached.
  func runOnce(_ oneOff: OneOff) async throws -> any RunningOneOff
  /// Every instance known, of one app or of all.
  func instances(of app: AppID?) async -> [Instance]
  /// State changes from now on, in order, for as long as the stream is held.
  func events() async -> AsyncStream<EngineEvent>
  /// Says that no router uses these addresses any more: they may be leased again.
  func release(_ addresses: [Address]) async
  /// Removes everything the engine keeps for an app.
  func forget(app: AppID) async
  func capabilities() async -> EngineCapabilities
}
