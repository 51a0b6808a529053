import FoundationEssentials
import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Testing
import Wire

@testable import GitReceiver

/// A stub platform and a client of it, in a directory of their own.
private final class Platform: Sendable {
  let directory = "/tmp/paas-ssh-test-\(UInt32.random(in: 0 ... .max))"
  let stub: StubServer
  let client: ReceiverClient

  init(_ handler: @escaping StubServer.Handler) throws {
    signal(SIGPIPE, SIG_IGN)
    try Files.makeDirectory(directory, mode: 0o700)
    stub = try StubServer(path: "\(directory)/receiver.sock", handler: handler)
    client = ReceiverClient(socketPath: stub.path)
  }

  deinit {
    stub.stop()
    try? Files.removeTree(directory)  // a leftover in /tmp fails no test
  }

  func open(_ push: PushID, produce: @escaping @Sendable (Int32) throws -> Void) async throws -> BuildResource {
    let client = client
    return try await blocking {
      try client.openBuild(
        app: AppName("hello"), token: "t", push: push, ref: RefName("refs/heads/main"), old: .zero,
        new: CommitID(String(repeating: "a", count: 40)), subject: "Say \"hé\"\nmore", produce: produce)
    }
  }
}

private let build = BuildResource(
  id: "b", app: NamedReference(id: "a", name: "hello"), status: "pending",
  user: AccountReference(id: "u", email: "dev@example.org"),
  source_blob: .init(version: nil, version_description: nil), output_stream_url: "", release: nil, slug: nil,
  buildpacks: [], failure: nil, created_at: "", updated_at: "")

@Suite("What the receiver says to the server")
struct ReceiverClientTests {
  @Test("the source is streamed as it is produced, with the push's headers")
  func openBuild() async throws {
    let platform = try Platform { _ in .json(build, status: 201) }
    let push = PushID()
    let answer = try await platform.open(push) { descriptor in
      for piece in 0..<40 {
        try Files.writeAll([UInt8](repeating: UInt8(piece), count: 100_000), to: descriptor, name: "the tar")
      }
    }
    #expect(answer == build)
    let request = try #require(platform.stub.requests.first)
    #expect(request.method == "POST" && request.path == "/apps/hello/builds")
    #expect(request.headers["transfer-encoding"] == "chunked")
    #expect(request.headers["authorization"] == "Bearer t")
    #expect(request.headers["paas-push"] == "\(push)")
    #expect(request.headers["paas-subject"] == "Say%20%22h%C3%A9%22")
    #expect(request.body.count == 4_000_000)
    #expect(request.body[3_999_999] == 39)
  }

  @Test("a source that breaks off never looks whole to the server")
  func producerFails() async throws {
    let platform = try Platform { _ in .json(build, status: 201) }
    let failure = SystemError("read the tree", EIO)
    await #expect(throws: failure) {
      try await platform.open(PushID()) { descriptor in
        try Files.writeAll([UInt8](repeating: 1, count: 300_000), to: descriptor, name: "the tar")
        throw failure
      }
    }
    #expect(await eventually { platform.stub.requests.first?.cut == true })
  }

  @Test("a server that refuses is quoted, and the producer is stopped")
  func refused() async throws {
    let platform = try Platform { _ in .error("forbidden", "not yours", status: 403) }
    await #expect(throws: APIError(id: "forbidden", message: "not yours")) {
      try await platform.open(PushID()) { try Files.writeAll([1, 2, 3], to: $0, name: "the tar") }
    }
  }

  @Test("a subject is cut between characters")
  func subject() {
    #expect(ReceiverClient.encodedSubject("a b\nc") == "a%20b")
    let long = ReceiverClient.encodedSubject(String(repeating: "é", count: 100))
    #expect(long == String(repeating: "%C3%A9", count: 33))
  }

  @Test("the output of a build is resumed where the connection broke, and nothing comes twice")
  func follow() async throws {
    let stored = [StreamRecord(.stdout, Array("one\n".utf8)), StreamRecord(.stdout, Array("two\n".utf8))]
    let details = Array(try Wire.encode(StreamExit(committed: true, release: ReleaseVersion(5))))
    let all = stored.flatMap(\.encoded) + StreamRecord.exit(0, details: details).encoded
    let first = Mutex(true)
    let platform = try Platform { request in
      let offset = request.path.split(separator: "=").last.flatMap { Int($0) } ?? 0
      let broken = first.withLock { first in
        defer { first = false }
        return first
      }
      let alive = StreamRecord(.keepAlive).encoded
      return broken
        ? .broken(alive + stored[0].encoded + stored[1].encoded.prefix(5)) : .status(200, alive + all.dropFirst(offset))
    }
    let client = platform.client
    let (end, seen) = try await blocking {
      var seen: [StreamRecord] = []
      let end = try client.followBuild(app: AppName("hello"), build: BuildID(), token: "t") {
        if $0.kind != .keepAlive { seen.append($0) }
      }
      return (end, seen)
    }
    #expect(seen == stored)
    #expect(end.status == 0)
    #expect(end.exit == StreamExit(committed: true, release: ReleaseVersion(5)))
    #expect(platform.stub.requests.map { $0.path.split(separator: "=").last } == ["0", "12"])
  }

  @Test("what the reader throws ends the following")
  func readerStops() async throws {
    let platform = try Platform { _ in .status(200, StreamRecord(.stdout, [65]).encoded) }
    let client = platform.client
    await #expect(throws: CancellationError.self) {
      try await blocking {
        _ = try client.followBuild(app: AppName("hello"), build: BuildID(), token: "t") { _ in throw CancellationError()
        }
      }
    }
    #expect(platform.stub.requests.count == 1)
  }

  @Test("work about sessions closes them, and work without its app is answered with the reason")
  func work() async throws {
    let platform = try Platform { _ in .status(204, []) }
    let closed = Mutex<[String]>([])
    let repositories = Repositories(directory: "\(platform.directory)/repositories")
    let loop = WorkLoop(
      client: platform.client, repositories: repositories,
      closeSessions: { fingerprint in closed.withLock { $0.append(fingerprint) } },
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    #expect(loop.perform(ReceiverWork(id: "1", app: nil, kind: .closeSessions(fingerprint: "SHA256:x"))).ok)
    #expect(closed.withLock { $0 } == ["SHA256:x"])
    let answer = loop.perform(ReceiverWork(id: "2", app: nil, kind: .removeRepository))
    #expect(!answer.ok)
    #expect(answer.reason == "work item '2' names no app")
  }

  @Test("an app whose repository is locked holds up neither other apps nor what is asked about sessions")
  func lockedApp() async throws {
    let platform = try Platform { _ in .status(204, []) }
    let repositories = Repositories(directory: "\(platform.directory)/repositories")
    let (stuck, other) = (AppID(), AppID())
    for app in [stuck, other] { _ = try repositories.open(app: app, create: true) }
    let lock = try checked("open the lock") {
      open("\(repositories.path(stuck)).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    }
    try checked("lock") { flock(lock, LOCK_EX) }
    let loop = WorkLoop(
      client: platform.client, repositories: repositories, closeSessions: { _ in },
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let work = [
      ReceiverWork(id: "1", app: stuck, kind: .discardQuarantine(push: PushID())),
      ReceiverWork(id: "2", app: stuck, kind: .removeRepository),
      ReceiverWork(id: "3", app: other, kind: .discardQuarantine(push: PushID())),
      ReceiverWork(id: "4", app: nil, kind: .closeSessions(fingerprint: "SHA256:x")),
    ]
    let answered: @Sendable () -> [String] = { [stub = platform.stub] in
      stub.requests.compactMap { request in work.first { ReceiverRoutes.workAnswer($0.id) == request.path }?.id }
    }
    let asked = Mutex(false)
    // Twice: the server asks again for what was not answered, and what waits is not done twice.
    startThread {
      loop.take(work)
      loop.take(Array(work.prefix(2)))
      asked.withLock { $0 = true }
    }
    #expect(await eventually { answered().count == 2 && asked.withLock { $0 } })
    #expect(answered() == ["4", "3"])
    close(lock)
    #expect(await eventually { answered().count == 4 })
    #expect(answered() == ["4", "3", "1", "2"])
    #expect(!Files.exists(repositories.path(stuck)))
  }
}
