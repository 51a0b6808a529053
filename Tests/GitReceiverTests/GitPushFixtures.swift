import CLinux
import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Testing
import Wire

@testable import GitReceiver

/// A git client at the other end of a socket.
final class SocketTransport: GitTransport {
  private let descriptor: Int32
  private(set) var errors: [UInt8] = []
  private(set) var isClosed = false

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try checked("read") { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
    if count == 0 { isClosed = true }
    return count
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var offset = 0
    while offset < bytes.count {
      offset += try checked("write") {
        send(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset, Int32(MSG_NOSIGNAL))
      }
    }
  }

  func writeError(_ bytes: [UInt8]) throws { errors += bytes }
}

/// The server's side of the process boundary, in this process: what it was asked for, and how its builds end.
final class LedgerServer: PushServer {
  enum Ending: Sendable {
    case committed
    case failed(FailureCode, String)
    /// The server dies while the build runs.
    case lost
    /// The ledger commits, and the receiver dies before it hears of it: the update stays pending.
    case refused(APIError)
    /// Nothing is sent: the machine has no descriptors left, for example.
    case unreached
    /// The whole source is sent, and no answer comes: the build may run.
    case unanswered
  }

  struct State: Sendable {
    var ending = Ending.committed
    var tip: CommitID?
    var created = false
    var isUnknown = false
    var pending: [RefUpdate] = []
    var outcomes: [RefUpdateOutcome] = []
    /// Called while a build runs.
    var duringBuild: (@Sendable () -> Void)?
    /// Called when the ledger has committed and no ref has moved.
    var beforeRefs: (@Sendable () -> Void)?
    var builds: [(push: PushID, ref: RefName, old: CommitID, new: CommitID, subject: String)] = []
  }

  let app: App
  let repositories: Repositories
  let directory: String
  let state = Mutex(State())
  private let build = BuildID()

  init(repositories: Repositories, directory: String) throws {
    app = App(id: AppID(), name: try AppName("hello"))
    self.repositories = repositories
    self.directory = directory
  }

  var tarPath: String { "\(directory)/source.tar" }

  func grant(app: AppName, access: RepositoryRequest.Access, token: String) throws -> RepositoryGrant {
    try state.withLock { state in
      if state.isUnknown {
        throw APIError(id: "forbidden", message: "you may not push to '\(app)'", next: "ask its owner")
      }
      return RepositoryGrant(
        app: self.app, created: state.created, deployBranch: state.tip == nil ? nil : "main", tip: state.tip,
        liveRelease: state.tip == nil ? nil : ReleaseVersion(3), liveCommit: state.tip)
    }
  }

  func openBuild(
    app: AppName, token: String, push: PushID, ref: RefName, old: CommitID, new: CommitID, subject: String,
    produce: @escaping @Sendable (Int32) throws -> Void
  ) throws -> BuildResource {
    let ending = state.withLock { $0.ending }
    if case .refused(let error) = ending { throw error }
    if case .unreached = ending { throw SystemError("open a socket pair", EMFILE) }
    let file = try checked("create") { open(tarPath, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
    defer { close(file) }
    try produce(file)
    if case .unanswered = ending { throw SystemError("read the answer", ECONNRESET) }
    state.withLock { $0.builds.append((push, ref, old, new, subject)) }
    return BuildResource(
      id: "\(build)", app: NamedReference(id: "\(self.app.id)", name: "\(app)"), status: "pending",
      user: AccountReference(id: "x", email: "a@b.c"), source_blob: .init(version: nil, version_description: nil),
      output_stream_url: "", release: nil, slug: nil, buildpacks: [], failure: nil, created_at: "", updated_at: "")
  }

  func followBuild(
    app: AppName, build: BuildID, token: String, body: (StreamRecord) throws -> Void
  ) throws -> (status: Int32, exit: StreamExit) {
    try body(StreamRecord(.stdout, Array(PushText.step("Building").utf8)))
    try body(StreamRecord(.keepAlive))
    let (ending, last, duringBuild) = state.withLock { ($0.ending, $0.builds.last, $0.duringBuild) }
    duringBuild?()
    switch ending {
    case .failed(let code, let reason): return (1, StreamExit(committed: false, code: code, reason: reason))
    case .lost, .refused, .unreached, .unanswered: throw GitError(.internalError, "the server has gone")
    case .committed:
      let last = try #require(last)
      try repositories.keepObjects(app: self.app.id, push: last.push, new: last.new)
      state.withLock {
        $0.tip = last.new
        $0.pending = [RefUpdate(app: self.app.id, build: build, ref: last.ref, old: last.old, new: last.new)]
      }
      return (0, StreamExit(committed: true, release: ReleaseVersion(4)))
    }
  }

  func pendingRefUpdates(app: AppID?) throws -> [RefUpdate] {
    let (pending, beforeRefs) = state.withLock { ($0.pending, $0.beforeRefs) }
    if !pending.isEmpty { beforeRefs?() }
    return pending
  }

  func report(_ outcome: RefUpdateOutcome, for build: BuildID) throws {
    state.withLock {
      $0.pending.removeAll { $0.build == build }
      $0.outcomes.append(outcome)
    }
  }
}

/// What was logged: `MESSAGE KEY=VALUE…`, keys in order.
final class RecordedLog: LogHandler {
  private let lines = Mutex<[String]>([])
  // What a handler must let its logger set; nobody does here.
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }

  var text: [String] { lines.withLock { $0 } }

  func log(event: LogEvent) {
    let data = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    lines.withLock { $0.append("\(event.message)\(data)") }
  }

  subscript(metadataKey _: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }
}

/// A clone, a repository and a server: `git push` between them over a socket.
struct PushBench {
  let log = RecordedLog()
  let directory: TemporaryDirectory
  let git: RealGit
  let repositories: Repositories
  let server: LedgerServer

  struct Outcome {
    var client: RealGit.Result
    /// What the session returned; `nil` when it threw.
    var status: Int32?
    var notes: String
  }

  init(history commits: Int = 3) async throws {
    directory = try TemporaryDirectory()
    git = try await RealGit.workWithHistory(in: directory, commits: commits)
    repositories = Repositories(directory: "\(directory.path)/repositories")
    server = try LedgerServer(repositories: repositories, directory: directory.path)
  }

  var bare: RealGit { RealGit(directory: repositories.path(server.app.id)) }
  var quarantines: [String] {
    get throws {
      let path = "\(bare.directory)/quarantine"
      return Files.exists(path) ? try Files.names(in: path) : []
    }
  }

  /// `git push fd::3 ARGUMENTS`: the real client with our session at the other end of its descriptor 3.
  func push(_ arguments: String..., from git: RealGit? = nil, version: GitProtocolVersion = .v0) async throws -> Outcome
  {
    try await served(version: version) { socket in
      try await (git ?? self.git).result(["push", "fd::3"] + arguments, descriptors: [3: socket])
    }
  }

  /// Serves one session to whatever `client` does with its end of the socket.
  func served(
    version: GitProtocolVersion = .v0, client: (Int32) async throws -> RealGit.Result
  ) async throws -> Outcome {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("socketpair") { paas_socketpair(&ends) }
    let (ours, theirs) = (ends[0], ends[1])
    let (server, repositories, log) = (server, repositories, log)
    async let session = blocking { () -> (Int32?, String) in
      defer { close(ours) }
      let transport = SocketTransport(ours)
      // A thrown error is one of the outcomes that tests look at.
      let status = try? Push.run(
        transport: transport, app: server.app.name, token: "t", server: server, repositories: repositories,
        protocolVersion: version, logger: Logger(label: "test") { _ in log })
      return (status, String(decoding: transport.errors, as: UTF8.self))
    }
    let result: RealGit.Result
    do {
      result = try await client(theirs)
      close(theirs)
    } catch {
      close(theirs)
      throw error
    }
    let (status, notes) = await session
    return Outcome(client: result, status: status, notes: notes)
  }
}
