import Glibc
import Linux

/// A sandboxed process that is attached to this one. Wait for it once, with ``exitStatus()``.
public struct SandboxProcess: Sendable {
  public let id: String
  let child: Child
  let sandbox: Sandbox
  let bundle: String

  /// Sends a signal to the sandbox's first process, which forwards it to its group. SIGKILL ends everything inside.
  public func signal(_ number: Int32) {
    sandbox.signal(number, id: id)
  }

  /// Waits for the end; 128 + signal when a signal ended it. Then deletes the container and its bundle.
  public func exitStatus() async -> Int {
    let status = await child.exitStatus()
    await sandbox.destroy(id: id)
    // What is left of a bundle is swept at the next start of the server.
    _ = try? Files.removeTree(bundle)
    return Int(status)
  }
}
