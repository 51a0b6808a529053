import Foundation
import Platform
import Store
import Synchronization
import Testing
import Wire

@testable import ControlPlane

@Suite struct ChangeTests {
  @Test("config:set before the first push is v1, and changing nothing makes no release")
  func configFirst() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let first = try await here.plane.setConfigVars("hello", patch: ["A": "1", "B": "2"], by: here.admin)
    #expect(first.release == ReleaseVersion(1))
    let same = try await here.plane.setConfigVars("hello", patch: ["A": "1", "C": nil], by: here.admin)
    #expect(same.release == nil)
    let second = try await here.plane.setConfigVars("hello", patch: ["A": nil, "B": "3"], by: here.admin)
    #expect(second.vars == ["B": "3"])
    let texts = try await here.plane.releases("hello", by: here.admin).map(\.description)
    #expect(texts == ["Set A, B config vars", "Set B and remove A config vars"])
    #expect(try await here.push().exit.release == ReleaseVersion(3))
  }

  @Test("config:set restarts the app with the value, byte for byte")
  func configLive() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    _ = try await here.plane.setConfigVars("hello", patch: ["A": "grüße\n'\"$x"], by: here.admin)
    #expect(await here.served() == ["web.1 v2"])
    let environments = await here.engine.workloads.values.filter { $0.release == ReleaseVersion(2) }.map(\.environment)
    #expect(environments.map { $0["A"] } == ["grüße\n'\"$x"])
    #expect(environments.map { $0["PAAS_RELEASE_VERSION"] } == ["v2"])
  }

  @Test(
    "what cannot be a config var is refused without showing its value",
    arguments: ["1A", "A-B", "PORT", "PAAS_APP", "A\u{0}"])
  func badConfig(_ name: String) async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let error = await #expect(throws: APIError.self) {
      try await here.plane.setConfigVars("hello", patch: [name: "hush"], by: here.admin)
    }
    #expect(error?.id == "invalid_params")
    #expect(error?.message.contains("hush") == false)
    await #expect(throws: APIError.self) {
      try await here.plane.setConfigVars("hello", patch: ["A": "hu\u{0}sh"], by: here.admin)
    }
  }

  @Test("a rollback restores slug and config in a new release, and does not move the tip")
  func rollback() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    try await here.push()
    _ = try await here.plane.setConfigVars("hello", patch: ["A": "1"], by: here.admin)
    let pushed = try await here.push(TestSource(slug: "c"), new: "c")
    let back = try await here.plane.rollback("hello", RollbackRequest(release: "v1"), by: here.admin)
    #expect(back.version == 4)
    #expect(back.description == "Rollback to v1")
    #expect(back.slug?.id == String(repeating: "a", count: 64))
    #expect(back.current)
    #expect(try await here.plane.configVars("hello", by: here.admin).isEmpty)
    #expect(await here.served() == ["web.1 v4"])
    #expect(try await here.store.read { try $0.app(app)?.tip } == pushed.build.push?.new)
    let error = await #expect(throws: APIError.self) {
      try await here.plane.rollback("hello", RollbackRequest(release: "v4"), by: here.admin)
    }
    #expect(error?.id == "conflict")
  }

  @Test("a rollback does not wait for a build")
  func rollbackDuringBuild() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    try await here.push(TestSource(slug: "c"), new: "c")
    let build = try await here.open(TestSource(waits: true), new: "d")
    #expect(try await here.plane.rollback("hello", RollbackRequest(release: "1"), by: here.admin).version == 3)
    here.openGate()
    _ = try await here.follow(build)
  }

  @Test("scaling up and down changes what is served, and more than is possible changes nothing")
  func scale() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push(TestSource(types: ["web": "serve", "worker": "work", "bad": "crash"]))
    func scale(_ type: String, _ quantity: Int, _ relative: Bool? = nil) async throws -> [String] {
      try await here.plane.scale(
        "hello", FormationUpdate(updates: [.init(type: type, quantity: quantity, relative: relative)]), by: here.admin
      ).map { "\($0.type)=\($0.quantity)" }
    }
    #expect(try await scale("web", 3) == ["web=3", "bad=0", "worker=0"])
    #expect(await here.served() == ["web.1 v1", "web.2 v1", "web.3 v1"])
    #expect(try await scale("worker", 2, true) == ["web=3", "bad=0", "worker=2"])
    #expect(try await scale("web", -2, true) == ["web=1", "bad=0", "worker=2"])
    #expect(await here.served() == ["web.1 v1"])
    try await here.eventually("the surplus is gone") {
      await here.running() == ["web.1 v1", "worker.1 v1", "worker.2 v1"]
    }
    for (type, quantity) in [("bad", 1), ("web", -1), ("web", 101), ("none", 1)] {
      await #expect(throws: APIError.self) { try await scale(type, quantity) }
    }
    let dynos = try await here.plane.dynos("hello", by: here.admin)
    #expect(dynos.map(\.name) == ["web.1", "worker.1", "worker.2"])
    #expect(dynos.map(\.state) == ["up", "up", "up"])
  }

  @Test("a restart starts anew beside the old, without a release; one type leaves the others alone")
  func restart() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push(TestSource(types: ["web": "serve", "worker": "work"]))
    _ = try await here.plane.scale(
      "hello", FormationUpdate(updates: [.init(type: "worker", quantity: 1, relative: nil)]), by: here.admin)
    func ids() async throws -> [String: String] {
      Dictionary(
        uniqueKeysWithValues: try await here.plane.dynos("hello", by: here.admin).map { ($0.name, $0.id) })
    }
    let before = try await ids()
    try await here.plane.restart("hello", dyno: "web.1", by: here.admin)
    let after = try await ids()
    #expect(before["web.1"] != after["web.1"])
    #expect(before["worker.1"] == after["worker.1"])
    try await here.eventually("the old instance is gone") {
      await here.engine.instances(of: nil).count == 2
    }
    #expect(try await here.plane.releases("hello", by: here.admin).count == 1)
    #expect(try await here.store.read { try $0.intents() }.isEmpty)
    try await here.push(TestSource(types: ["web": "serve", "worker": "work"]), new: "c")
    try await here.eventually("both types run the new release") { await here.running() == ["web.1 v2", "worker.1 v2"] }
    await #expect(throws: APIError.self) { try await here.plane.restart("hello", dyno: "web.9", by: here.admin) }
  }

  @Test("a destroyed app leaves nothing behind but its uid's number")
  func destroy() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    try await here.push()
    _ = try await here.plane.destroyApp("hello", by: here.admin)
    #expect(await here.running().isEmpty)
    #expect(await here.engine.forgotten == [app])
    #expect(try await here.store.read { try $0.app(app) } == nil)
    #expect(here.receiverSaw.withLock { $0.contains { $0.kind == .removeRepository && $0.app == app } })
    for name in ["builds", "logs", "cache"] {
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(here.directory)/\(name)").isEmpty)
    }
    let table = await here.plane.routingTable(after: 0)
    #expect(table?.apps.isEmpty == true)
  }

  @Test("an app that is destroyed while it is built leaves nothing either")
  func destroyDuringBuild() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    _ = try await here.open(TestSource(waits: true))
    _ = try await here.plane.destroyApp("hello", by: here.admin)
    for name in ["builds", "logs", "cache"] {
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(here.directory)/\(name)").isEmpty)
    }
    #expect(try await here.store.read { try $0.intents() }.isEmpty)
  }

  @Test("a destroy that the receiver did not answer is finished later, and the name is free at once")
  func destroyLater() async throws {
    let here = try await Installation(receiver: false)
    defer { here.end() }
    let app = try await here.create()
    _ = try await here.plane.destroyApp("hello", by: here.admin)
    #expect(try await here.store.read { try $0.intents() }.map(\.kind) == [.destroy])
    #expect(try await here.create() != app)
    let next = try await Installation(after: here)
    defer { next.end() }
    try await next.eventually("the destroy is finished") {
      await next.plane.reconcile()
      return try await next.store.read { try $0.app(app) } == nil
    }
  }

  @Test("another account sees nothing of an app, an admin everything")
  func rights() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let stranger = Account(id: AccountID(), email: "x@y", isAdmin: false)
    #expect(try await here.plane.apps(by: stranger).isEmpty)
    let error = await #expect(throws: APIError.self) { try await here.plane.configVars("hello", by: stranger) }
    #expect(error?.id == "not_found")
    #expect(error.map { "\($0)".contains(here.admin.email) } == false)
    let missing = await #expect(throws: APIError.self) { try await here.plane.app("../etc", by: here.admin) }
    #expect(missing?.id == "not_found")
  }
}
