import Platform
import Store
import Synchronization
import Testing
import Wire

@testable import ControlPlane

// Nothing waits for ever while it holds something that others need.
@Suite struct PatienceTests {
  func oneOff(_ command: String, _ app: AppID) throws -> OneOff {
    OneOff(
      app: App(id: app, name: try AppName("hello")), release: ReleaseVersion(1),
      slug: Slug(digest: try SlugDigest(String(repeating: "a", count: 64)), size: 1), command: command,
      environment: ["PATH": "/usr/bin:/bin"], name: "release.1")
  }

  @Test("a release command that does not end is killed, whoever else holds its output")
  func endlessRelease() async throws {
    let here = try await Installation()
    defer { here.end() }
    let oneOff = try oneOff("sleep 5 & echo hi; exec sleep 1000", try await here.create())
    let process = try await here.engine.runOnce(oneOff)
    let lines = LastLines()
    #expect(await here.plane.relay(process, within: .milliseconds(300)) { lines.add($0) } == nil)
    #expect(lines.lines == ["hi"])
  }

  @Test("the output of a command is passed on up to a limit, with one line about the rest")
  func cappedOutput() {
    let seen = Mutex<[[UInt8]]>([])
    let cap = OutputCap { bytes in seen.withLock { $0.append(bytes) } }
    cap.add([UInt8](repeating: 65, count: OutputCap.limit - 1))
    for _ in 1...3 { cap.add([66, 66]) }
    let pieces = seen.withLock { $0 }
    #expect(pieces.map(\.count).prefix(2) == [OutputCap.limit - 1, 1])
    #expect(pieces.count == 3)
    #expect(pieces.last.map { String(decoding: $0, as: UTF8.self) }?.contains("4 MiB") == true)
  }

  @Test("addresses stay taken until the router has confirmed a table without them")
  func addresses() async throws {
    let here = try await Installation(router: false)
    defer { here.end() }
    let app = try await here.create()
    try await here.push()
    let old = await here.engine.instances(of: app)
    try await here.plane.store.write { try $0.beginDestroy(app) }
    #expect(await !here.plane.drained(old, of: app, patience: .zero))
    await here.plane.stop(old.map(\.key), of: app, patience: .zero)
    #expect(await here.running().isEmpty)
    #expect(await here.engine.released.isEmpty)
    let table = try #require(await here.plane.routingTable(after: 7))
    await here.plane.routerReport(RouterReport(generation: table.generation, inFlight: []))
    try await here.eventually("they are free") { await here.engine.released == Set(old.compactMap(\.address)) }
  }

  @Test("a destroy that waits for its app's release lock keeps no other app waiting")
  func stuckDestroy() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    let (gate, open) = AsyncStream<Void>.makeStream()
    let (held, say) = AsyncStream<Void>.makeStream()
    let holder = Task {
      await here.plane.releaseLocks.hold(app) {
        say.finish()
        for await _ in gate {}
      }
    }
    for await _ in held {}
    try await here.plane.store.write { try $0.beginDestroy(app) }
    await here.plane.reconcile()
    #expect(try await here.store.read { try $0.intents() }.map(\.kind) == [.destroy])
    open.finish()
    await holder.value
    try await here.eventually("the destroy is finished") { try await here.store.read { try $0.app(app) } == nil }
  }
}
