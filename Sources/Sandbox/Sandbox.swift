import FoundationEssentials
import Glibc
public import Linux
public import Platform

/// The machine's way to run a process behind walls: crun, with what was found by probing.
public struct Sandbox: Sendable {
  /// The programs a sandbox stands on; absolute paths.
  public struct Programs: Sendable, Hashable {
    public var runtime: String
    public var monitor: String
    /// PID 1 inside; under `/usr`.
    public var initializer: String
  }

  public internal(set) var capabilities: EngineCapabilities
  /// `paas-` and the end of the installation's id: what all container ids of this installation start with.
  public let prefix: String
  /// Where crun keeps its state.
  public let stateDirectory: String
  public let programs: Programs
  /// How long the runtime and the monitor may take for one answer; then they are killed.
  public internal(set) var patience = Duration.seconds(60)

  /// A container id of this installation. `name` may hold letters, digits, '-', '_' and '.'.
  public func identifier(_ name: String) -> String { prefix + "-" + name }

  /// Flags for every call of the runtime, for those who start it through another program (conmon).
  public var runtimeArguments: [String] {
    ["--root=\(stateDirectory)", "--cgroup-manager=\(capabilities.resourceLimits ? "cgroupfs" : "disabled")"]
  }

  /// A child that sees the machine as the runtime needs to see it: crun, or something that starts it.
  public func childRequest(path: String, arguments: [String], descriptors: [Int32: Int32] = [:]) -> ChildRequest {
    let environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "LC_ALL": "C"]
    var request = ChildRequest(path: path, arguments: arguments, environment: environment, descriptors: descriptors)
    request.hideHybridCgroups = true
    return request
  }

  /// Makes a directory that the sandbox's uid 1000 owns.
  public func makeDirectory(_ path: String, for hostUser: UInt32) throws {
    try Files.makeDirectory(path)
    guard capabilities.perAppUsers else { return }
    try checked("give '\(path)' to uid \(hostUser)") { lchown(path, hostUser, hostUser) }
  }

  /// The mounts that make a program runnable inside as ``SandboxMount/programPath``, with the directories of shared
  /// libraries that this process found outside `/usr` (a debug build's Swift runtime).
  public func mounts(program path: String) -> [SandboxMount] {
    let program = SandboxMount(.bind(source: path, readOnly: true), at: SandboxMount.programPath)
    // Without /proc no sandbox starts anyway.
    let maps = (try? Files.text("/proc/self/maps")) ?? ""
    let libraries = maps.split(separator: "\n").compactMap { line -> String? in
      guard let slash = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/") else { return nil }
      let name = line[end...]
      guard name.hasSuffix(".so") || name.contains(".so.") else { return nil }
      return String(line[slash..<end])
    }
    let outside = Set(libraries).filter { !$0.hasPrefix("/usr/") && !$0.hasPrefix("/lib") }
    return [program] + outside.sorted().map { SandboxMount(.bind(source: $0, readOnly: true), at: $0) }
  }

  /// Signals the first process of a container. One that is gone is no error.
  public func signal(_ number: Int32, id: String) {
    initialProcess(of: id)?.signal(number)
  }

  /// The first process of a container, in the host's numbering; `nil` when it is gone.
  public func initialProcess(of id: String) -> ProcessIdentity? {
    struct Status: Decodable { var pid: Int32 }
    guard let bytes = try? Files.read("\(stateDirectory)/\(id)/status"),  // no container, no process
      let status = try? JSONDecoder().decode(Status.self, from: Data(bytes)), status.pid > 0
    else { return nil }
    return ProcessIdentity(pid: status.pid)
  }

  /// Ends and removes a container; idempotent.
  public func destroy(id: String) async {
    guard Files.exists("\(stateDirectory)/\(id)") else { return }
    // An answer that it does not exist is what we want; what stays is swept by the next start through ``list()``.
    _ = try? await runtime(["delete", "--force", id])
  }

  /// The ids of this installation's containers, in no order.
  public func list() async -> [String] {
    let names = (try? Files.names(in: stateDirectory)) ?? []  // no directory: nothing was ever started
    return names.filter { $0.hasPrefix(prefix + "-") }
  }

  /// Runs the runtime to its end, or kills it when it takes too long. Returns its status and what it said.
  public func runtime(_ arguments: [String]) async throws -> (status: Int32, errors: String) {
    let errors = try Pipe()
    let child: Child
    do {
      defer { errors.closeWriteEnd() }
      child = try Child.spawn(
        childRequest(path: programs.runtime, arguments: runtimeArguments + arguments, descriptors: [2: errors.write]))
    }
    let deadline = ContinuousClock.now + patience
    let process = ProcessIdentity(pid: child.pid)
    let killer = Task {
      do { try await Task.sleep(until: deadline, clock: .continuous) } catch { return false }  // it has ended
      return process?.signal(SIGKILL) ?? false
    }
    let text = await blocking { errors.readToEnd(until: deadline) }
    let status = await child.exitStatus()
    killer.cancel()
    return (status, await killer.value ? "killed, for it gave no answer within \(patience)" : text)
  }
}
