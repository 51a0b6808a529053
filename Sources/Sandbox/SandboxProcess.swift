import Glibc
import Linux
import Platform

/// A sandboxed process that is attached to this one. Wait for it once, with ``exitStatus()``.
public struct SandboxProcess: Sendable {
  public let id: String
  /// Our side of the process's terminal, where it has one; the caller closes it.
  public let terminal: Int32?
  let status: Task<Int32, Never>
  let sandbox: Sandbox
  let bundle: String

  /// Sends a signal to the sandbox's first process, which forwards it to its group. SIGKILL ends everything inside.
  public func signal(_ number: Int32) {
    sandbox.signal(number, id: id)
  }

  /// Waits for the end; 128 + signal when a signal ended it. Then deletes the container and its bundle.
  public func exitStatus() async -> Int {
    let status = await status.value
    await sandbox.destroy(id: id)
    // What is left of a bundle is swept at the next start of the server.
    _ = try? Files.removeTree(bundle)
    return Int(status)
  }
}

extension Sandbox {
  /// Starts the process attached; it ends with ``SandboxProcess/exitStatus()``. Returns when the sandbox stands (its
  /// program may already have ended). The descriptors stay the caller's; `nil` is /dev/null. `extra` maps descriptors
  /// inside, from 3 up without gaps, to descriptors here. A process with a terminal takes none of them.
  ///
  /// Throws ``SandboxError`` when the runtime refuses; the container and the bundle are gone then.
  public func start(
    _ spec: SandboxSpec, bundle: String, stdin: Int32? = nil, stdout: Int32? = nil, stderr: Int32? = nil,
    extra: [Int32: Int32] = [:]
  ) async throws -> SandboxProcess {
    guard capabilities.canRun else { throw SandboxError.unavailable(capabilities.missing) }
    var descriptors = extra
    descriptors[0] = stdin
    descriptors[1] = stdout
    descriptors[2] = stderr
    let console = spec.terminal == nil ? nil : try ConsoleSocket()
    let log = "\(bundle)/runtime.log"
    var arguments = runtimeArguments + ["--log=\(log)", "run", "--bundle=\(bundle)"]
    if !extra.isEmpty { arguments.append("--preserve-fds=\(extra.count)") }
    if let console { arguments.append("--console-socket=\(console.path)") }
    let child = try Child.spawn(
      childRequest(path: programs.runtime, arguments: arguments + [spec.id], descriptors: descriptors))
    let status = Task { await child.exitStatus() }
    let stands = await stands(spec.id, child: child)
    let terminal = await console?.terminal(within: .seconds(stands ? 5 : 0))
    let process = SandboxProcess(id: spec.id, terminal: terminal, status: status, sandbox: self, bundle: bundle)
    if stands, console == nil || terminal != nil { return process }
    let reason = (try? Files.text(log)) ?? ""  // no file: the runtime had nothing to say
    guard !reason.isEmpty || (console != nil && terminal == nil) else { return process }  // it ran, and was quick
    process.signal(SIGKILL)
    _ = await process.exitStatus()
    if let terminal { close(terminal) }
    throw SandboxError.refused(id: spec.id, reason: reason.split(separator: "\n").joined(separator: "; "))
  }

  /// Waits until the container's first process is the program, no longer the runtime that prepares it; `false` when
  /// its runtime ended before that was seen.
  private func stands(_ id: String, child: Child) async -> Bool {
    let runtime = ProcessIdentity(pid: child.pid)
    let initializer = programs.initializer.split(separator: "/").last ?? "tini"
    while true {
      if let first = initialProcess(of: id), let name = try? Files.text("/proc/\(first.pid)/comm"),  // may just be gone
        name.hasPrefix(initializer)
      {
        return true
      }
      guard let runtime, runtime.isAlive else { return false }
      do { try await Task.sleep(for: .milliseconds(3)) } catch { return true }  // cancelled: the caller will end it
    }
  }
}
