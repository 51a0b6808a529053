import Linux
public import Platform

/// The machine's way to run a process behind walls: crun, with what was found by probing.
public struct Sandbox: Sendable {
  public let capabilities: EngineCapabilities
  /// `paas-` and the end of the installation's id: what all container ids of this installation start with.
  public let prefix: String
  /// Where crun keeps its state.
  public let stateDirectory: String

  /// Looks at this machine. Never throws: what is missing stands in ``capabilities``.
  public static func probe(stateDirectory: String, installation: InstallationID) async -> Sandbox {
    Sandbox(
      capabilities: EngineCapabilities(canRun: false, missing: [], perAppUsers: false, resourceLimits: false),
      prefix: "paas-" + String(installation.description.suffix(12)), stateDirectory: stateDirectory)
  }

  /// A container id of this installation. `name` may hold letters, digits, '-', '_' and '.'.
  public func identifier(_ name: String) -> String { prefix + "-" + name }

  /// The mounts that make a program runnable inside as ``SandboxMount/programPath``, with the shared libraries that
  /// this process found outside `/usr` (a debug build's Swift runtime).
  public func mounts(program path: String) -> [SandboxMount] {
    [SandboxMount(.bind(source: path, readOnly: true), at: SandboxMount.programPath)]
  }

  /// Writes the root file system's skeleton and `config.json`.
  public func writeBundle(_ spec: SandboxSpec, at directory: String) throws {
  }

  /// Starts the process attached: it ends with ``SandboxProcess/exitStatus()``. The descriptors stay the caller's;
  /// `nil` is /dev/null. `extra` maps descriptors inside, from 3 up without gaps, to descriptors here.
  public func start(
    _ spec: SandboxSpec, bundle: String, stdin: Int32? = nil, stdout: Int32? = nil, stderr: Int32? = nil,
    extra: [Int32: Int32] = [:]
  ) async throws -> SandboxProcess {
    throw SandboxError.unavailable(capabilities.missing)
  }

  /// Signals the first process of a container. One that is gone is no error.
  public func signal(_ number: Int32, id: String) {
  }

  /// Ends and removes a container; idempotent.
  public func destroy(id: String) async {
  }

  /// The ids of this installation's containers.
  public func list() async -> [String] {
    []
  }
}
