import Glibc
import Linux
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
  static let available: Bool =
    Machine.environment["CI"] == "true"
    || ["/usr/bin/crun", "/usr/bin/conmon", "/usr/bin/tini"].allSatisfy(Files.exists)
}

/// Something that did not come true within its deadline.
struct NotInTime: Error, CustomStringConvertible {
  let description: String
}

/// Asks until the answer is yes. The wait between two questions is short and carries no meaning.
func eventually(
  _ what: String, within limit: Duration = .seconds(30), _ condition: () async throws -> Bool
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
