import Foundation
import Platform
import Store
import Synchronization
import Testing
import Wire

@testable import ControlPlane

@Suite struct DeployTests {
  @Test("the first push goes live as v1, with one web and none of the rest")
  func first() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    let pushed = try await here.push(TestSource(types: ["web": "serve", "worker": "work", "release": "true"]))
    #expect(pushed.exit == StreamExit(committed: true, release: ReleaseVersion(1)))
    #expect(pushed.build.status == .succeeded)
    let formation = try await here.plane.formation("hello", by: here.admin)
    #expect(formation.map { "\($0.type)=\($0.quantity)" } == ["web=1", "worker=0"])
    #expect(await here.served() == ["web.1 v1"])
    let record = try #require(try await here.store.read { try $0.app(app) })
    #expect(record.tip == pushed.build.push?.new)
    #expect(record.deployBranch == "main")
    try await here.eventually("the receiver moves the ref") {
      try await here.plane.refUpdates(app: app).isEmpty
    }
  }

  @Test("a push tells its story to the letter")
  func text() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let pushed = try await here.push()
    #expect(
      pushed.text == """
        -----> Test app detected
        -----> Launching...
               Released v1
               http://hello.localhost:8080/ deployed to paas

        Verifying deploy... done.

        """)
    let releases = try await here.plane.releases("hello", by: here.admin)
    #expect(releases.map(\.description) == ["Deploy bbbbbbbb"])
    #expect(releases.map(\.current) == [true])
  }

  @Test("the second deploy replaces the first, keeps what was scaled, and stops the old instances")
  func second() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    _ = try await here.plane.scale(
      "hello", FormationUpdate(updates: [.init(type: "web", quantity: 3, relative: nil)]), by: here.admin)
    try await here.push(TestSource(slug: "c"), new: "c")
    #expect(await here.served() == ["web.1 v2", "web.2 v2", "web.3 v2"])
    try await here.eventually("the old instances are gone") {
      await here.running() == ["web.1 v2", "web.2 v2", "web.3 v2"]
    }
  }

  @Test(
    "a deploy that fails leaves release, ref and routes as they were, and keeps its number",
    arguments: [
      (TestSource(types: ["web": "crash"]), "H10", DeployPhase.boot, 3),
      (TestSource(types: ["web": "hang"]), "R10", .boot, 3),
      (TestSource(types: ["web": "serve", "release": "echo migrating; exit 4"]), "B06", .release, 3),
      (TestSource(failure: DeployFailure(.detect, .noBuildpack, "nothing fits")), "B01", .detect, 2),
    ])
  func failure(_ source: TestSource, _ code: String, _ phase: DeployPhase, _ next: Int) async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    let good = try await here.push()
    let bad = try await here.push(source, new: "c")
    #expect(bad.exit.code?.rawValue == code)
    #expect(!bad.exit.committed)
    #expect(bad.text.contains(" !     \(phase.rawValue) failed (\(code)): "))
    #expect(bad.text.hasSuffix(" !     `paas explain \(code)` says more.\n"))
    #expect(bad.build.status == .failed)
    let record = try #require(try await here.store.read { try $0.app(app) })
    #expect(record.tip == good.build.push?.new)
    #expect(await here.served() == ["web.1 v1"])
    try await here.eventually("the new instances are gone") { await here.running() == ["web.1 v1"] }
    #expect(try await here.push(new: "d").exit.release == ReleaseVersion(next))
  }

  @Test("a crash at boot shows the app's own last lines")
  func evidence() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let pushed = try await here.push(TestSource(types: ["web": "crash"]))
    #expect(pushed.text.contains(" !     boot failed (H10): web.1 exited with status 3 before it was up\n"))
    #expect(pushed.text.contains(" !       no module named 'flask'\n"))
    #expect(pushed.build.failure == "web.1 exited with status 3 before it was up")
  }

  @Test("a slug that was damaged on disk is not started")
  func damaged() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    await here.engine.damage(try SlugDigest(String(repeating: "a", count: 64)))
    let error = await #expect(throws: APIError.self) {
      try await here.plane.restart("hello", dyno: nil, by: here.admin)
    }
    #expect(error?.message.contains("R17") == true)
    #expect(await here.served() == ["web.1 v1"])
  }

  @Test("the release command runs before anything is started, its output reaches the pusher")
  func releasePhase() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let pushed = try await here.push(
      TestSource(types: ["web": "serve", "release": "echo migrating $PAAS_RELEASE_VERSION; echo note >&2"]))
    #expect(pushed.text.contains("-----> Running release command...\n"))
    #expect(pushed.text.contains("migrating v1\n"))
    #expect(pushed.text.contains("note\n"))
  }

  @Test("a newer push to the same ref ends the build before it")
  func superseded() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let first = try await here.open(TestSource(waits: true))
    let second = try await here.open(TestSource(slug: "c"), new: "c")
    let (old, new) = (try await here.follow(first), try await here.follow(second))
    #expect(old.exit.code == .superseded)
    #expect(old.exit.reason == "superseded by build \(second.id)")
    #expect(new.exit.committed)
    #expect(await here.served() == ["web.1 v1"])
    try await here.eventually("the receiver drops the old quarantine") {
      here.receiverSaw.withLock {
        $0.contains { $0.kind == .discardQuarantine(push: old.build.push?.push ?? PushID()) }
      }
    }
  }

  @Test("a deploy that waits for its boot is superseded too")
  func supersededAtBoot() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let first = try await here.open(TestSource(types: ["web": "block"]))
    try await here.eventually("the first is starting") { await !here.running().isEmpty }
    let second = try await here.push(TestSource(slug: "c"), new: "c")
    #expect(try await here.follow(first).exit.code == .superseded)
    #expect(second.exit.release == ReleaseVersion(2))
  }

  @Test("a push that was overtaken by a rollback is refused and asks to be pushed again")
  func overtaken() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    try await here.push(TestSource(slug: "c"), new: "c")
    let late = try await here.open(TestSource(slug: "d", waits: true), new: "d")
    let back = try await here.plane.rollback("hello", RollbackRequest(release: nil), by: here.admin)
    #expect(back.version == 3)
    here.openGate()
    let pushed = try await here.follow(late)
    #expect(pushed.exit.code == .overtaken)
    #expect(pushed.text.contains("push again"))
    #expect(await here.served() == ["web.1 v3"])
  }

  @Test("config:set during a build does not overtake it, and the build's release has the new value")
  func configDuringBuild() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let build = try await here.open(TestSource(waits: true))
    let set = try await here.plane.setConfigVars("hello", patch: ["A": "new"], by: here.admin)
    #expect(set.release == ReleaseVersion(1))
    here.openGate()
    #expect(try await here.follow(build).exit.release == ReleaseVersion(2))
    let environments = await here.engine.workloads.values.map(\.environment)
    #expect(environments.map { $0["A"] } == ["new"])
  }

  @Test("a push from another tip than the deployed one is refused before it is built")
  func stale() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    let push = PushContext(
      push: PushID(), ref: try RefName("refs/heads/main"), old: .zero,
      new: try CommitID(String(repeating: "e", count: 40)), subject: "")
    await #expect(throws: APIError.self) {
      try await here.plane.openBuild("hello", push: push, by: here.admin) { _ in }
    }
    let kept = try FileManager.default.contentsOfDirectory(atPath: here.directory + "/builds")
    #expect(kept.count == 1)
  }

  @Test("a push whose source breaks off has its quarantine discarded, whether or not its receiver lives")
  func torn() async throws {
    struct Torn: Error {}
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let push = PushContext(
      push: PushID(), ref: try RefName("refs/heads/main"), old: .zero,
      new: try CommitID(String(repeating: "e", count: 40)), subject: "")
    await #expect(throws: Torn.self) {
      try await here.plane.openBuild("hello", push: push, by: here.admin) { _ in throw Torn() }
    }
    try await here.eventually("the receiver is told to discard") {
      here.receiverSaw.withLock { $0.contains { $0.kind == .discardQuarantine(push: push.push) } }
    }
  }

  @Test("a source without a push deploys and moves no ref")
  func tar() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    let pushed = try await here.push(new: nil)
    #expect(pushed.exit.committed)
    #expect(try await here.plane.refUpdates(app: app).isEmpty)
    #expect(try await here.plane.releases("hello", by: here.admin).map(\.description) == ["Deploy aaaaaaaa"])
  }

  @Test("a deploy goes on without a router, and is served when one comes")
  func noRouter() async throws {
    let here = try await Installation(router: false)
    defer { here.end() }
    _ = try await here.create()
    #expect(try await here.push().exit.committed)
    #expect(await here.served() == ["web.1 v1"])
  }
}
