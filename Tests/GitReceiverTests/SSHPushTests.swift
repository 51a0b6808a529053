import FoundationEssentials
import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import GitReceiver

/// The platform's half of one push: grants, takes the source, and commits or refuses.
private final class PlatformHalf: Sendable {
  struct State {
    var update: RefUpdate?
    var source: [UInt8] = []
    var subject = ""
    var outcome: RefUpdateOutcome?
  }

  let app: App
  let build = BuildID()
  let commits: Bool
  let state = Mutex(State())

  init(commits: Bool) throws {
    self.commits = commits
    app = App(id: AppID(), name: try AppName("hello"))
  }

  func answer(_ request: StubServer.Request, _ repositories: Repositories) -> StubServer.Response {
    switch (request.method, request.path) {
    case ("POST", ReceiverRoutes.repositories):
      return .json(
        RepositoryGrant(app: app, created: true, deployBranch: nil, tip: nil, liveRelease: nil, liveCommit: nil))
    case ("GET", ReceiverRoutes.refUpdates(app: app.id)):
      return .json(state.withLock { $0.outcome == nil && commits ? [$0.update].compactMap(\.self) : [] })
    case ("POST", ReceiverRoutes.builds(app: app.name)): return accept(request)
    case ("GET", ReceiverRoutes.buildOutput(app: app.name, build: build, offset: 0)):
      return output(repositories, request)
    case ("POST", ReceiverRoutes.refUpdateOutcome(build)):
      state.withLock { $0.outcome = try? Wire.decode(RefUpdateOutcome.self, from: Data(request.body)) }
      return .status(204, [])
    default: return .error("not_found", "no route \(request.path)", status: 404)
    }
  }

  private func accept(_ request: StubServer.Request) -> StubServer.Response {
    guard let old = try? CommitID(request.headers["paas-old"] ?? ""),
      let push = PushID(request.headers["paas-push"] ?? ""),
      let new = try? CommitID(request.headers["paas-new"] ?? ""), let ref = try? RefName("refs/heads/main")
    else { return .error("invalid_params", "headers", status: 422) }
    state.withLock {
      $0.source = request.body
      $0.subject = request.headers["paas-subject"] ?? ""
      $0.update = RefUpdate(app: app.id, build: build, ref: ref, old: old, new: new)
      pushID.withLock { $0 = push }
    }
    return .json(
      BuildResource(
        id: "\(build)", app: NamedReference(id: "\(app.id)", name: "hello"), status: "pending",
        user: AccountReference(id: "u", email: "dev@example.org"),
        source_blob: .init(version: nil, version_description: nil), output_stream_url: "", release: nil, slug: nil,
        buildpacks: [], failure: nil, created_at: "", updated_at: ""),
      status: 201)
  }

  private let pushID = Mutex<PushID?>(nil)

  private func output(_ repositories: Repositories, _ request: StubServer.Request) -> StubServer.Response {
    var end = StreamExit(committed: false, code: .noBuildpack, reason: "no buildpack fits")
    if commits, let update = state.withLock({ $0.update }), let push = pushID.withLock({ $0 }) {
      do {
        try repositories.keepObjects(app: app.id, push: push, new: update.new)
      } catch { return .error("internal_server_error", "\(error)", status: 500) }
      end = StreamExit(committed: true, release: ReleaseVersion(1))
    }
    let details = (try? Wire.encode(end)).map { Array($0) } ?? []
    let text = StreamRecord(.stdout, Array("-----> Python app detected\n".utf8)).encoded
    return .status(200, text + StreamRecord.exit(commits ? 0 : 1, details: details).encoded)
  }
}

@Suite("git push over SSH")
struct SSHPushTests {
  private func git(_ harness: SSHHarness, ssh options: [String] = [], _ arguments: String...) async throws -> Ended {
    let ssh = (["ssh"] + options + harness.options + ["-i", harness.key]).joined(separator: " ")
    return try await execute(
      "/usr/bin/git", ["-C", "\(harness.directory)/clone"] + arguments,
      environment: [
        "GIT_SSH_COMMAND": ssh, "HOME": harness.directory, "GIT_CONFIG_NOSYSTEM": "1", "GIT_SSH_VARIANT": "ssh",
        "GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "dev@example.org",
        "GIT_COMMITTER_NAME": "Dev", "GIT_COMMITTER_EMAIL": "dev@example.org",
      ])
  }

  private func commit(_ harness: SSHHarness) async throws {
    try Files.makeDirectory("\(harness.directory)/clone")
    _ = try await git(harness, "init", "-q", "-b", "main")
    try Files.writeDurably("flask\n".utf8, to: "\(harness.directory)/clone/requirements.txt")
    _ = try await git(harness, "add", ".")
    _ = try await git(harness, "commit", "-q", "-m", "Say hello")
  }

  @Test("a committed build moves the ref, and git sees ok")
  func committed() async throws {
    let platform = try PlatformHalf(commits: true)
    let harness = try await SSHHarness(platform: platform.answer)
    try await commit(harness)
    let push = try await git(harness, "push", "ssh://paas@127.0.0.1:\(harness.port)/hello.git", "main")
    #expect(push.status == 0, "\(push.errors)")
    #expect(push.errors.contains("remote: -----> Python app detected"))
    #expect(push.errors.contains("* [new branch]      main -> main"))
    #expect(!push.errors.contains("closed by remote host"))
    let (outcome, subject, size) = platform.state.withLock { ($0.outcome, $0.subject, $0.source.count) }
    #expect(outcome == .applied)
    #expect(subject == "Say%20hello")
    #expect(size > 1024)
  }

  @Test("a failed build rejects the ref with code and reason")
  func rejected() async throws {
    let platform = try PlatformHalf(commits: false)
    let harness = try await SSHHarness(platform: platform.answer)
    try await commit(harness)
    let push = try await git(harness, "push", "ssh://git@127.0.0.1:\(harness.port)/hello", "main")
    #expect(push.status == 1)
    #expect(push.errors.contains("! [remote rejected] main -> main (B01: no buildpack fits)"))
  }

  @Test("a push far beyond the limit at which the client changes keys arrives whole")
  func rekey() async throws {
    let platform = try PlatformHalf(commits: true)
    let harness = try await SSHHarness(platform: platform.answer)
    try await commit(harness)
    var random = SystemRandomNumberGenerator()
    let noise = (0..<(12 << 20) / 8).flatMap { _ in withUnsafeBytes(of: random.next() as UInt64, Array.init) }
    try Files.writeDurably(noise, to: "\(harness.directory)/clone/noise")
    _ = try await git(harness, "add", ".")
    _ = try await git(harness, "commit", "-q", "-m", "Noise")
    let options = ["-v", "-o", "RekeyLimit=1M"]
    let push = try await git(harness, ssh: options, "push", "ssh://paas@127.0.0.1:\(harness.port)/hello.git", "main")
    #expect(push.status == 0, "\(push.errors)")
    #expect(push.errors.ranges(of: "SSH2_MSG_NEWKEYS received").count > 8)
    let size = platform.state.withLock { $0.source.count }
    #expect(size > 12 << 20)
  }

  @Test("a push to a name that is none is refused before anything is asked of the platform")
  func hostileName() async throws {
    let harness = try await SSHHarness()
    try await commit(harness)
    let push = try await git(harness, "push", "paas@127.0.0.1:../../x.git", "main")
    #expect(push.status == 128)
    #expect(push.errors.contains("app name '../../x' may hold only a-z, 0-9 and '-'"))
  }

  @Test("what a client has sent that leaves during the upload is gone before that ends")
  func leavesDuringUpload() async throws {
    let platform = try PlatformHalf(commits: true)
    // 64 MiB at 64 KiB each 250 ms: longer than the test lasts, or the upload has ended first and the test fails.
    let harness = try await SSHHarness(stubPause: 250, platform: platform.answer)
    try await commit(harness)
    for number in 0..<64 {
      let bytes = [UInt8](repeating: UInt8(number), count: 1 << 20)
      try Files.writeDurably(bytes, to: "\(harness.directory)/clone/file\(number)")
    }
    _ = try await git(harness, "add", ".")
    _ = try await git(harness, "commit", "-q", "-m", "Much")
    let new = try await git(harness, "rev-parse", "HEAD").text.prefix(40)
    let pack = try await git(harness, "pack-objects", "--all", "--stdout", "-q").output
    let bytes =
      PktLine.encode("\(CommitID.zero) \(new) refs/heads/main\0report-status side-band-64k") + PktLine.flushBytes + pack
    let stdin = try makePipe()
    let child = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh",
        arguments: harness.options + ["-i", harness.key, "paas@127.0.0.1", "git-receive-pack 'hello'"],
        environment: ["PATH": "/usr/bin:/bin"], descriptors: [0: stdin.reading]))
    close(stdin.reading)
    try await blocking { try Files.writeAll(bytes, to: stdin.writing, name: "ssh's input") }
    let quarantine = "\(harness.directory)/data/repositories/\(platform.app.id).git/quarantine"
    let pushes: @Sendable () -> [String] = { (try? Files.names(in: quarantine)) ?? [] }
    // The mark is set just before the upload begins.
    let offered: @Sendable () -> Bool = {
      pushes().contains { Files.exists("\(quarantine)/\($0)/offered") }
    }
    #expect(await eventually(offered))
    child.signal(SIGKILL)
    #expect(await eventually { pushes().isEmpty })
    let complete = harness.stub.requests.contains { $0.body.count >= 64 << 20 }
    #expect(!complete)
    #expect(platform.state.withLock { $0.outcome } == nil)
    await child.exitStatus()
    close(stdin.writing)
  }

  @Test("what a client has sent that leaves in the middle of its pack is gone at once")
  func leavesEarly() async throws {
    let platform = try PlatformHalf(commits: true)
    let harness = try await SSHHarness(platform: platform.answer)
    try await commit(harness)
    let new = try await git(harness, "rev-parse", "HEAD").text.prefix(40)
    let bytes =
      PktLine.encode("\(CommitID.zero) \(new) refs/heads/main\0report-status side-band-64k") + PktLine.flushBytes
      + Array("PACK".utf8) + [0, 0, 0, 2, 0, 0, 0, 9]
    let stdin = try makePipe()
    let child = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh",
        arguments: harness.options + ["-i", harness.key, "paas@127.0.0.1", "git-receive-pack 'hello'"],
        environment: ["PATH": "/usr/bin:/bin"], descriptors: [0: stdin.reading]))
    close(stdin.reading)
    try Files.writeAll(bytes, to: stdin.writing, name: "ssh's input")
    let quarantine = "\(harness.directory)/data/repositories/\(platform.app.id).git/quarantine"
    let pushes: @Sendable () -> Int = { (try? Files.names(in: quarantine).count) ?? 0 }
    #expect(await eventually { pushes() == 1 })
    child.signal(SIGKILL)
    // What waits for a silent client alone waits for half an hour.
    #expect(await eventually { pushes() == 0 })
    await child.exitStatus()
    close(stdin.writing)
  }

  @Test("a client hears how far its pack is checked, and what it has sent goes when it leaves then")
  func leavesDuringChecks() async throws {
    let platform = try PlatformHalf(commits: true)
    let harness = try await SSHHarness(platform: platform.answer)
    // Little to send, and more than a gigabyte to hash.
    let count = 320 * max(Threads.cores, 2)
    var pack = PackBuilder(count: UInt32(count))
    var data = [UInt8](repeating: 0, count: 2 << 20)
    for number in 0..<count {
      (data[0], data[1]) = (UInt8(number & 0xFF), UInt8(number >> 8))
      try pack.object(3, data)
    }
    let command = "\(CommitID.zero) \(String(repeating: "a", count: 40)) refs/heads/main"
    let bytes = PktLine.encode("\(command)\0report-status side-band-64k") + PktLine.flushBytes + pack.finished
    let (stdin, stdout) = (try makePipe(), try makePipe())
    let child = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh",
        arguments: harness.options + ["-i", harness.key, "paas@127.0.0.1", "git-receive-pack 'hello'"],
        environment: ["PATH": "/usr/bin:/bin"], descriptors: [0: stdin.reading, 1: stdout.writing]))
    close(stdin.reading)
    close(stdout.writing)
    try await blocking { try Files.writeAll(bytes, to: stdin.writing, name: "ssh's input") }
    let said = await blocking { () -> String in
      var said = ""
      var piece = [UInt8](repeating: 0, count: 4096)
      while !said.contains("Checking objects: ") {
        let count = read(stdout.reading, &piece, piece.count)
        guard count > 0 else { break }
        said += String(decoding: piece[..<count], as: UTF8.self)
      }
      return said
    }
    #expect(said.contains("Checking objects: "), "\(said)")
    child.signal(SIGKILL)
    let quarantine = "\(harness.directory)/data/repositories/\(platform.app.id).git/quarantine"
    let isGone = await eventually { (try? Files.names(in: quarantine).isEmpty) ?? true }
    #expect(isGone)
    #expect(await eventually { harness.server.connectionCount == 0 })
    await child.exitStatus()
    close(stdin.writing)
    close(stdout.reading)
  }
}
