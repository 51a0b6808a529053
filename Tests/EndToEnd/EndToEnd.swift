import Glibc
import Linux
import Platform
import Sandbox
import Testing

extension Tag {
  /// Needs sandboxes: user, mount and pid namespaces, crun and conmon.
  @Tag static var sandbox: Self
}

/// Everything here drives the built binary with the real git, ssh and HTTP. One suite after the other: each starts a
/// server of its own, and two cores are few.
@Suite(.serialized) struct EndToEnd {}

/// Where the sandbox is missing, tests that need it are skipped; with `CI=true` they run and fail.
enum SandboxHere {
  private static let probed = Task {
    var template = Array("/tmp/paas-e2e-probe-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { return false }
    let directory = String(cString: made)
    chmod(directory, 0o755)
    let sandbox = await Sandbox.probe(stateDirectory: directory, installation: InstallationID())
    try? Files.removeTree(directory)  // a leftover in /tmp fails no test
    return sandbox.capabilities.canRun
  }

  static func available() async -> Bool {
    if Machine.environment["CI"] == "true" { return true }
    return await probed.value
  }
}

/// Something that did not come true within its deadline.
struct NotInTime: Error, CustomStringConvertible {
  let description: String
}

/// Asks until the answer is yes. The wait between two questions is short and carries no meaning.
func eventually(
  _ what: String, within limit: Duration = .seconds(300), _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    if ContinuousClock.now > deadline { throw NotInTime(description: "not within \(limit): \(what)") }
    await pause(milliseconds: 20)
  }
}

/// A pause between two looks, on a thread of its own.
func pause(milliseconds: Int32) async {
  await blocking { _ = poll(nil, 0, milliseconds) }
}
