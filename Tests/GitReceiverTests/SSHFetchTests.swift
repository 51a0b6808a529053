import FoundationEssentials
import Linux
import Platform
import Testing
import Wire

@testable import GitReceiver

@Suite("git clone over SSH")
struct SSHFetchTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A platform on which everybody may read one app.
  private func harness(_ app: App) async throws -> SSHHarness {
    try await SSHHarness { request, _ in
      switch (request.method, request.path) {
      case ("POST", ReceiverRoutes.repositories):
        guard let wanted = try? Wire.decode(RepositoryRequest.self, from: .init(request.body)), wanted.access == .read
        else { return .error("forbidden", "only reading is asked for here", status: 403) }
        return .json(
          RepositoryGrant(app: app, created: false, deployBranch: nil, tip: nil, liveRelease: nil, liveCommit: nil))
      case ("GET", ReceiverRoutes.refUpdates(app: app.id)): return .json([RefUpdate]())
      default: return .error("not_found", "no route \(request.path)", status: 404)
      }
    }
  }

  @Test("brings what was pushed, in every protocol version", arguments: ["0", "1", "2"])
  func clone(version: String) async throws {
    let app = App(id: AppID(), name: try AppName("hello"))
    let harness = try await harness(app)
    let repositories = Repositories(directory: "\(harness.directory)/data/repositories")
    _ = try repositories.open(app: app.id, create: true)
    let work = try await RealGit.workWithHistory(in: directory, commits: 15)
    try await work("tag", "-a", "-m", "one", "v1")
    try await work("push", "-q", repositories.path(app.id), "main", "v1")
    let ssh = (["ssh"] + harness.options + ["-i", harness.key]).joined(separator: " ")
    func git(_ arguments: String...) async throws -> RealGit.Result {
      try await RealGit(directory: directory.path).result(
        ["-c", "protocol.version=\(version)"] + arguments,
        environment: ["GIT_SSH_COMMAND": ssh, "GIT_SSH_VARIANT": "ssh", "HOME": directory.path])
    }
    let url = "ssh://paas@127.0.0.1:\(harness.port)/hello.git"
    let cloned = try await git("clone", "-q", "-b", "main", url, "clone")
    #expect(cloned.status == 0 && cloned.errors.isEmpty, "\(cloned.errors)")
    let clone = RealGit(directory: "\(directory.path)/clone")
    try await clone("fsck", "--strict", "--full")
    #expect(try await clone("rev-parse", "HEAD", "v1").text == work("rev-parse", "HEAD", "v1").text)
    try await work.commit("later")
    try await work("push", "-q", repositories.path(app.id), "main")
    let fetched = try await git("-C", "clone", "pull", "-q")
    #expect(fetched.status == 0 && fetched.errors.isEmpty, "\(fetched.errors)")
    #expect(try await clone("rev-parse", "HEAD").line == work("rev-parse", "HEAD").line)
    let refused = try await git("-C", "clone", "fetch", "-q", "origin", String(repeating: "1", count: 40))
    #expect(refused.status == 128 && refused.errors.contains("not our ref"), "\(refused.errors)")
  }

  @Test("an app that was never pushed to is an empty repository")
  func empty() async throws {
    let app = App(id: AppID(), name: try AppName("hello"))
    let harness = try await harness(app)
    let ssh = (["ssh"] + harness.options + ["-i", harness.key]).joined(separator: " ")
    let cloned = try await RealGit(directory: directory.path).result(
      ["clone", "ssh://paas@127.0.0.1:\(harness.port)/hello.git", "clone"],
      environment: ["GIT_SSH_COMMAND": ssh, "GIT_SSH_VARIANT": "ssh", "HOME": directory.path])
    #expect(cloned.status == 0)
    #expect(cloned.errors.contains("You appear to have cloned an empty repository"))
  }
}
