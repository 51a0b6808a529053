import Glibc
import Linux
import Platform
import Testing

import Sandbox

extension Tag {
  /// Needs a machine that can run sandboxes.
  @Tag static var sandbox: Self
}

/// Whether this machine can run sandboxes. With `CI=true` a machine that cannot must fail the tests, not skip them.
enum SandboxAvailability {
  static let shared = Task {
    let directory = TemporaryDirectory("probe")
    return await Sandbox.probe(stateDirectory: directory.path, installation: InstallationID())
  }

  static func current() async -> Bool {
    if Machine.environment["CI"] == "true" { return true }
    return await shared.value.capabilities.canRun
  }
}

/// A new directory that every user of a sandbox may enter; it goes with its owner.
final class TemporaryDirectory: Sendable {
  let path: String

  init(_ name: String) {
    path = "/tmp/paas-test-\(name)-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    mkdir(path, 0o755)
    chmod(path, 0o755)
  }

  deinit { _ = try? Files.removeTree(path) }
}
