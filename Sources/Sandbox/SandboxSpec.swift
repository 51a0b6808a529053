public import Platform

/// One process in a sandbox: what it runs, as whom, and everything it can see beside the machine's `/usr`.
public struct SandboxSpec: Sendable {
  /// The container's id, from ``Sandbox/identifier(_:)``; unique on the machine.
  public var id: String
  /// Program (an absolute path inside) and arguments. It runs under an init that reaps and forwards signals.
  public var arguments: [String]
  /// The whole environment; nothing of this process's own is added.
  public var environment: [String: String]
  /// Working directory inside; it must exist there.
  public var directory: String
  /// The user on the host that uid 1000 inside stands for. Ignored where ``EngineCapabilities/perAppUsers`` is
  /// false: then it stands for the invoking user.
  public var hostUser: UInt32
  public var mounts: [SandboxMount]
  public var hostname: String
  /// A terminal of this size instead of three descriptors; ``SandboxProcess/terminal`` is our side of it.
  public var terminal: TerminalSize?
  public var limits: SandboxLimits

  public init(
    id: String, arguments: [String], environment: [String: String] = [:], directory: String = "/app",
    hostUser: UInt32, mounts: [SandboxMount], hostname: String = "paas", terminal: TerminalSize? = nil,
    limits: SandboxLimits = SandboxLimits()
  ) {
    self.id = id
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
    self.hostUser = hostUser
    self.mounts = mounts
    self.hostname = hostname
    self.terminal = terminal
    self.limits = limits
  }
}

/// Something of the host that is visible in a sandbox. Sources must be readable by the sandbox's host user.
public struct SandboxMount: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    /// A file or directory of the host.
    case bind(source: String, readOnly: Bool)
    /// A read-only directory with a writable layer above it. `upper` and `work` are empty directories of the sandbox's
    /// host user on one file system.
    case overlay(lower: String, upper: String, work: String)
    /// Memory, mode 1777.
    case tmpfs(megabytes: Int)
  }

  /// Absolute path inside.
  public var destination: String
  public var kind: Kind

  public init(_ kind: Kind, at destination: String) {
    self.kind = kind
    self.destination = destination
  }

  /// Where the program itself stands in build and unpack sandboxes.
  public static let programPath = "/run/paas/paas"
}

/// What a sandbox may use. Applied where ``EngineCapabilities/resourceLimits`` is true; `nil` means no limit.
public struct SandboxLimits: Sendable, Hashable {
  public var memoryBytes: Int64?
  public var processes: Int64?
  /// CPUs' worth of time, 0.5 for half of one.
  public var cpus: Double?

  public init(memoryBytes: Int64? = nil, processes: Int64? = 2048, cpus: Double? = nil) {
    self.memoryBytes = memoryBytes
    self.processes = processes
    self.cpus = cpus
  }
}
