import Foundation
import Platform
import Store
import Synchronization
import Testing
import Wire

@testable import ControlPlane

// A killed server is one that never gets to its next line: its tasks hang where the test made them hang, and a new
// server starts on the same ledger and the same instances.
@Suite struct ServerRestartTests {
  @Test("killed while it built: the build is refused with B09, its output ends, the app is as it was")
  func duringBuild() async throws {
    let dead = try await Installation()
    defer { dead.end() }
    _ = try await dead.create()
    try await dead.push()
    let build = try await dead.open(TestSource(slug: "c", waits: true), new: "c")
    let here = try await Installation(after: dead)
    let pushed = try await here.follow(build)
    #expect(pushed.exit.code == .platformRestarted)
    #expect(pushed.text.contains("platform restarted"))
    #expect(pushed.build.status == .failed)
    #expect(await here.served() == ["web.1 v1"])
  }

  @Test("killed while it booted: the release fails, its instances stop, the old one serves")
  func duringBoot() async throws {
    let dead = try await Installation()
    defer { dead.end() }
    _ = try await dead.create()
    try await dead.push()
    let build = try await dead.open(TestSource(types: ["web": "block"], slug: "c"), new: "c")
    try await dead.eventually("the new release is starting") { await dead.running() == ["web.1 v1", "web.1 v2"] }
    let here = try await Installation(after: dead)
    try await here.eventually("the new instances are gone") { await here.running() == ["web.1 v1"] }
    #expect(try await here.follow(build).exit.code == .platformRestarted)
    let releases = try await here.plane.releases("hello", by: here.admin)
    #expect(releases.map(\.status) == ["succeeded", "failed"])
    #expect(releases.map(\.current) == [true, false])
    try await here.eventually("no intent is left") { try await here.store.read { try $0.intents() }.isEmpty }
  }

  @Test("killed before the commit point: wholly old")
  func beforeCommit() async throws {
    let dead = try await Installation(receiver: false)
    defer { dead.end() }
    let app = try await dead.create()
    let build = try await dead.open()
    try await dead.eventually("the deploy waits for the receiver") {
      try await dead.store.read { try $0.pendingReleases() }.count == 1
    }
    try await dead.eventually("it is up") {
      await dead.engine.instances(of: nil).contains { if case .up = $0.state { true } else { false } }
    }
    let here = try await Installation(after: dead)
    try await here.eventually("its instances are gone") { await here.running().isEmpty }
    #expect(try await here.follow(build).exit.committed == false)
    #expect(try await here.store.read { try $0.app(app) }?.tip == nil)
    #expect(try await here.plane.refUpdates(app: app).isEmpty)
  }

  @Test("killed after the commit point, before the routes switched: wholly new")
  func afterCommit() async throws {
    let dead = try await Installation(router: false)
    defer { dead.end() }
    let app = try await dead.create()
    let build = try await dead.open()
    try await dead.eventually("the release is committed") {
      try await dead.store.read { try $0.currentRelease(of: app) } != nil
    }
    let here = try await Installation(after: dead, receiver: false)
    #expect(await here.served() == ["web.1 v1"])
    #expect(await here.running() == ["web.1 v1"])
    let pushed = try await here.follow(build)
    #expect(pushed.exit == StreamExit(committed: true, release: ReleaseVersion(1)))
    #expect(pushed.build.status == .succeeded)
  }

  @Test("after a reboot, the ledger's formation starts again")
  func reboot() async throws {
    let dead = try await Installation()
    defer { dead.end() }
    _ = try await dead.create()
    try await dead.push()
    await dead.engine.loseEverything()
    let here = try await Installation(after: dead)
    try await here.eventually("it is served again") { await here.served() == ["web.1 v1"] }
  }

  @Test("what crashed before it was ever up is started again, later and later")
  func crashed() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    try await here.push()
    await here.engine.crashEverything()
    let applied = await here.engine.applied
    await here.plane.reconcile()
    await here.plane.reconcile()
    #expect(await here.engine.applied == applied + 1)
    #expect(here.plane.retries.withLock { $0[app]?.failures } == 1)
  }

  @Test("instances that the ledger does not know are stopped, those that it knows are left alone")
  func strays() async throws {
    let dead = try await Installation()
    defer { dead.end() }
    let app = try await dead.create()
    try await dead.push()
    let stray = Workload(
      key: WorkloadKey(app: app, launch: LaunchID(), process: .web), appName: try AppName("hello"),
      release: ReleaseVersion(9), slug: Slug(digest: try SlugDigest(String(repeating: "f", count: 64)), size: 1),
      command: "serve", quantity: 1, environment: [:])
    let before = await dead.engine.instances(of: nil).map(\.id)
    await dead.engine.apply(stray)
    let here = try await Installation(after: dead)
    try await here.eventually("the stray is gone") { await here.engine.instances(of: nil).map(\.id) == before }
  }

  @Test("a record that was not written whole is cut off, and the output still ends")
  func tornOutput() async throws {
    let dead = try await Installation()
    defer { dead.end() }
    _ = try await dead.create()
    let build = try await dead.open(TestSource(waits: true))
    let path = "\(dead.directory)/builds/\(build.id)/output.records"
    try await dead.eventually("there is output") {
      (try? Data(contentsOf: URL(fileURLWithPath: path)).isEmpty) == false
    }
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data([1, 0, 0, 0, 0, 0, 9, 9, 65]))
    try handle.close()
    let here = try await Installation(after: dead)
    #expect(try await here.follow(build).exit.code == .platformRestarted)
  }
}
