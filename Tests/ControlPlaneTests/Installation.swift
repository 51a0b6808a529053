import Buildpacks
import Foundation
import Logging
import Platform
import Store
import Synchronization
import Testing
import Wire

@testable import ControlPlane

/// What a test's source says that its build yields.
struct TestSource: Codable, Sendable {
  var types: [String: String] = ["web": "serve"]
  var slug: String = "a"
  /// The build waits until the installation's gate opens.
  var waits = false
  var failure: DeployFailure?
}

/// A whole server's decisions on a ledger of their own, with a receiver and a router that do what they are told.
final class Installation: Sendable {
  let directory: String
  let store: Store
  let engine: TestEngine
  let plane: ControlPlane
  let admin: Account
  private let roles = Mutex<[Task<Void, Never>]>([])
  let receiverSaw = Mutex<[ReceiverWork]>([])
  let openGate: @Sendable () -> Void

  /// With `after`, a new server on the data and the instances of one that was killed.
  init(after dead: Installation? = nil, receiver: Bool = true, router: Bool = true) async throws {
    directory = dead?.directory ?? NSTemporaryDirectory() + "plane-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    store = try await Store(dataDirectory: directory)
    engine = dead?.engine ?? TestEngine()
    let (gate, open) = AsyncStream<Void>.makeStream()
    openGate = { open.finish() }
    plane = try await ControlPlane(
      configuration: ControlPlaneConfiguration(
        dataDirectory: directory, installation: store.installation, domain: "localhost",
        ssh: Address(host: "localhost", port: 2222), http: Address(host: "localhost", port: 8080),
        api: Address(host: "localhost", port: 7070), bootTimeout: .seconds(60), stopGrace: .milliseconds(200),
        shareDirectory: directory, version: "test"),
      store: store, engine: engine, builder: Self.builder(gate),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    admin = try await plane.localAdmin()
    await plane.start()
    if receiver { roles.withLock { $0.append(Task { await self.actAsReceiver() }) } }
    if router { roles.withLock { [plane] in $0.append(Task { await Self.actAsRouter(plane) }) } }
  }

  func end() {
    for role in roles.withLock({ $0 }) { role.cancel() }
    try? FileManager.default.removeItem(atPath: directory)
  }

  private static func builder(_ gate: AsyncStream<Void>) -> BuildStep {
    BuildStep { request, output in
      let data = try Data(contentsOf: URL(fileURLWithPath: request.sourceTar))
      let source = try JSONDecoder().decode(TestSource.self, from: data)
      output(Array(PushText.step("Test app detected").utf8))
      if source.waits { for await _ in gate {} }
      try Task.checkCancellation()
      if let failure = source.failure { throw failure }
      let types = try source.types.map { (try ProcessType($0.key), $0.value) }
      return BuildResult(
        slug: Slug(digest: try SlugDigest(String(repeating: source.slug, count: 64)), size: 10),
        stack: Stack(id: "host", digest: "12"), processTypes: Dictionary(uniqueKeysWithValues: types), buildpack: "Test"
      )
    } cancel: { _ in
    }
  }

  private func actAsReceiver() async {
    while !Task.isCancelled {
      for item in await plane.receiverWork() {
        receiverSaw.withLock { $0.append(item) }
        if case .applyRefUpdate(let update) = item.kind {
          try? await plane.refUpdateOutcome(build: update.build, .applied)
        }
        await plane.answerWork(id: item.id, WorkAnswer(ok: true))
      }
    }
  }

  private static func actAsRouter(_ plane: ControlPlane) async {
    var generation: UInt64 = 7
    await plane.routerReport(RouterReport(generation: generation, inFlight: []))
    while !Task.isCancelled {
      guard let table = await plane.routingTable(after: generation) else { continue }
      generation = table.generation
      await plane.routerReport(RouterReport(generation: generation, inFlight: []))
    }
  }
}

/// How a push ended.
struct Pushed {
  var build: BuildRecord
  var text: String
  var exit: StreamExit
}

extension Installation {
  /// Opens a build as the receiver does.
  func open(_ source: TestSource = TestSource(), app: String = "hello", new: Character? = "b") async throws
    -> BuildResource
  {
    let data = try JSONEncoder().encode(source)
    let tip = try await store.read { try $0.app(named: AppName(app))?.tip }
    let push = try new.map { digit in
      PushContext(
        push: PushID(), ref: try RefName("refs/heads/main"), old: tip ?? .zero,
        new: try CommitID(String(repeating: digit, count: 40)), subject: "a change")
    }
    return try await plane.openBuild(app, push: push, by: admin) { path in
      try data.write(to: URL(fileURLWithPath: path))
    }
  }

  /// Follows a build to its end.
  func follow(_ build: BuildResource, app: String = "hello") async throws -> Pushed {
    var (parser, text, exit) = (StreamRecordParser(), "", StreamExit?.none)
    for try await bytes in try await plane.buildOutput(app, build: build.id, offset: 0, by: admin) {
      parser.append(bytes)
      while let record = try parser.next() {
        if record.kind == .exit {
          exit = try Wire.decode(StreamExit.self, from: Data(record.payload.dropFirst(4)))
        } else {
          text += String(decoding: record.payload, as: UTF8.self)
        }
      }
    }
    let id = try #require(BuildID(build.id))
    let record = try #require(try await store.read { try $0.build(id) })
    return Pushed(build: record, text: text, exit: try #require(exit))
  }

  @discardableResult
  func push(_ source: TestSource = TestSource(), app: String = "hello", new: Character? = "b") async throws -> Pushed {
    try await follow(try await open(source, app: app, new: new), app: app)
  }

  func create(_ name: String = "hello") async throws -> AppID {
    let app = try await plane.createApp(AppCreate(name: name), by: admin)
    return try #require(AppID(app.id))
  }

  /// `web.1 v2`, … of what the router would send requests to.
  func served(_ app: String = "hello") async -> [String] {
    let table = await plane.routingTable(after: 0)
    let endpoints = table?.apps.first { $0.name.description == app }?.endpoints ?? []
    let instances = await engine.instances(of: nil)
    return endpoints.compactMap { endpoint in
      instances.first { $0.id == endpoint.instance }.map { "\($0.name) \($0.release)" }
    }
  }

  /// `web.1 v2`, … of what runs.
  func running() async -> [String] { await engine.instances(of: nil).map { "\($0.name) \($0.release)" }.sorted() }

  /// Polls until the condition holds.
  func eventually(_ what: Comment, _ condition: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(20)
    while try await !condition() {
      guard ContinuousClock.now < deadline else {
        Issue.record(what)
        return
      }
      try await Task.sleep(for: .milliseconds(10))
    }
  }
}
