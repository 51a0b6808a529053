import Foundation
import GRDB
import Platform
import Testing

@testable import Store

@Suite struct ReleaseTests {
  @Test("releases count from v1, and a failed one keeps its number")
  func numbers() async throws {
    let ledger = try await TemporaryLedger()
    let (app, other, admin) = (try await ledger.app(), try await ledger.app("other"), ledger.admin)
    let versions = try await ledger.store.write { ledger in
      let first = try ledger.createRelease(config(), app: app.id, by: admin, configFrom: nil)
      try ledger.makeCurrent(first)
      let second = try ledger.createRelease(deploy(slug()), app: app.id, by: admin, configFrom: nil)
      try ledger.failRelease(second, "H10: crashed")
      let third = try ledger.createRelease(deploy(slug()), app: app.id, by: admin, configFrom: nil)
      let elsewhere = try ledger.createRelease(config(), app: other.id, by: admin, configFrom: nil)
      return [first, second, third, elsewhere].map(\.version.number)
    }
    #expect(versions == [1, 2, 3, 1])
    let releases = try await ledger.store.read { try $0.releases(of: app.id) }
    #expect(releases.map(\.status) == [.succeeded, .failed, .pending])
    #expect(releases[1].failure == "H10: crashed")
  }

  @Test("a release changes its status once and nothing else ever")
  func immutable() async throws {
    let ledger = try await TemporaryLedger()
    let (app, admin) = (try await ledger.app(), ledger.admin)
    let release = try await ledger.store.write { ledger in
      let release = try ledger.createRelease(deploy(slug()), app: app.id, by: admin, configFrom: nil)
      try ledger.makeCurrent(release)
      return release
    }
    for change in ["description = 'x'", "slug = NULL", "version = 9", "status = 'failed'"] {
      await #expect(throws: DatabaseError.self) {
        try await ledger.store.write { try $0.database.execute(sql: "UPDATE releases SET \(change)") }
      }
    }
    await #expect(throws: StoreError.releaseNotPending(release.version)) {
      try await ledger.store.write { try $0.makeCurrent(release) }
    }
  }

  @Test("a release's config is what it was made with, whatever is set or removed later")
  func config_snapshots() async throws {
    let ledger = try await TemporaryLedger()
    let (app, admin) = (try await ledger.app(), ledger.admin)
    let configs = try await ledger.store.write { ledger in
      let one = try ledger.createRelease(
        config(), app: app.id, by: admin, configFrom: nil, patch: [key("A"): "1", key("B"): "2"])
      let two = try ledger.createRelease(
        config(), app: app.id, by: admin, configFrom: one.id, patch: [key("A"): "changed", key("B"): String?.none])
      return try [one, two].map { try ledger.config(of: $0.id, app: app.id) }
    }
    #expect(configs == [[try key("A"): "1", try key("B"): "2"], [try key("A"): "changed"]])
  }

  @Test("process types and slug survive the ledger")
  func round_trip() async throws {
    let ledger = try await TemporaryLedger()
    let (app, admin) = (try await ledger.app(), ledger.admin)
    let types: ProcessTypes = [.web: "a b", .release: "migrate", try ProcessType("worker"): "w"]
    let release = try await ledger.store.write {
      try $0.createRelease(deploy(slug(), types: types), app: app.id, by: admin, configFrom: nil)
    }
    #expect(release.processTypes == types)
    #expect(release.slug == (try slug()))
  }
}

@Suite struct AppTests {
  @Test("a destroyed app gives its name back at once, and inherits nothing")
  func destroy() async throws {
    let ledger = try await TemporaryLedger()
    let (app, admin) = (try await ledger.app(), ledger.admin)
    try await ledger.store.write { ledger in
      let release = try ledger.createRelease(
        deploy(slug()), app: app.id, by: admin, configFrom: nil, patch: [key("A"): "1"])
      try ledger.makeCurrent(release)
      try ledger.setFormation([FormationRecord(type: .web, quantity: 2, launch: LaunchID())], of: app.id)
      let build = BuildID()
      _ = try ledger.openBuild(build, app: app.id, by: admin, push: push())
      try ledger.move(app.id, by: push(), build: build)
      try ledger.addFailure(app: app.id, phase: "boot", code: .appCrashed, message: "x")
      try ledger.beginDestroy(app.id)
      try ledger.beginDestroy(app.id)
    }
    let intents = try await ledger.store.read { try $0.intents() }
    #expect(intents.map(\.kind) == [.destroy])
    let again = try await ledger.app()
    #expect(again.id != app.id)
    #expect(again.uidIndex != app.uidIndex)
    let unused = try await ledger.store.write { ledger in
      try ledger.purge(app.id)
      return try ledger.dropUnusedSlugs()
    }
    #expect(unused == [try slug().digest])
    let left = try await ledger.store.read { (try $0.app(app.id), try $0.intents(), try $0.apps().map(\.id)) }
    #expect(left.0 == nil)
    #expect(left.1.isEmpty)
    #expect(left.2 == [again.id])
  }

  @Test("a name is given once")
  func taken() async throws {
    let ledger = try await TemporaryLedger()
    _ = try await ledger.app()
    await #expect(throws: StoreError.nameTaken(try AppName("hello"))) { try await ledger.app() }
  }

  @Test("the last hundred failures of an app are kept")
  func failures() async throws {
    let ledger = try await TemporaryLedger()
    let app = try await ledger.app()
    try await ledger.store.write { ledger in
      for index in 1...130 {
        try ledger.addFailure(app: app.id, phase: "boot", code: .appCrashed, message: "failure \(index)")
      }
    }
    let kept = try await ledger.store.read { try $0.failures(of: app.id) }
    #expect(kept.count == 100)
    #expect(kept.first?.message == "failure 130")
  }
}

@Suite struct BuildTests {
  @Test("a newer push to the same ref supersedes what is pending, and nothing else")
  func supersede() async throws {
    let ledger = try await TemporaryLedger()
    let (app, admin) = (try await ledger.app(), ledger.admin)
    let (old, tar, elsewhere, new) = (BuildID(), BuildID(), BuildID(), BuildID())
    let superseded = try await ledger.store.write { ledger in
      _ = try ledger.openBuild(old, app: app.id, by: admin, push: push())
      _ = try ledger.openBuild(tar, app: app.id, by: admin, push: nil)
      _ = try ledger.openBuild(elsewhere, app: app.id, by: admin, push: push(ref: "refs/heads/other"))
      return try ledger.openBuild(new, app: app.id, by: admin, push: push(new: "c"))
    }
    #expect(superseded == [old])
    let records = try await ledger.store.read { try $0.builds(of: app.id) }
    #expect(records.filter { $0.supersededBy == new }.map(\.id) == [old])
  }

  @Test("a commit leaves one pending ref update, which ends once")
  func ref_updates() async throws {
    let ledger = try await TemporaryLedger()
    let (app, admin) = (try await ledger.app(), ledger.admin)
    let (build, pushed) = (BuildID(), try push())
    try await ledger.store.write { ledger in
      _ = try ledger.openBuild(build, app: app.id, by: admin, push: pushed)
      try ledger.move(app.id, by: pushed, build: build)
    }
    let (pending, elsewhere, moved) = try await ledger.store.read { ledger in
      (try ledger.pendingRefUpdates(of: app.id), try ledger.pendingRefUpdates(of: AppID()), try ledger.app(app.id))
    }
    #expect(pending.map(\.new) == [pushed.new])
    #expect(elsewhere.isEmpty)
    #expect(moved?.tip == pushed.new)
    #expect(moved?.deployBranch == "main")
    try await ledger.store.write { try $0.endRefUpdate(build, .applied, reason: nil) }
    #expect(try await ledger.store.read { try $0.pendingRefUpdates(of: nil) }.isEmpty)
  }

  @Test("a write goes through although its task is cancelled")
  func cancelled() async throws {
    let ledger = try await TemporaryLedger()
    let (store, admin) = (ledger.store, ledger.admin)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try await store.write { try $0.createApp(AppName("hello"), owner: admin) }
    }
    #expect(try await task.value.name.description == "hello")
  }
}

@Suite struct AccountTests {
  @Test("a key belongs to one account, and a token is found by its hash until it expires")
  func keys_and_tokens() async throws {
    let ledger = try await TemporaryLedger()
    let admin = ledger.admin
    let added = try await ledger.store.write {
      try $0.addKey(fingerprint: "SHA256:x", publicKey: "ssh-ed25519 AAAA", comment: "me", account: admin)
    }
    await #expect(throws: StoreError.keyTaken(fingerprint: "SHA256:x")) {
      try await ledger.store.write {
        try $0.addKey(fingerprint: "SHA256:x", publicKey: "ssh-ed25519 AAAA", comment: "", account: admin)
      }
    }
    #expect(try await ledger.store.read { try $0.key(fingerprint: "SHA256:x") } == added)
    try await ledger.store.write { ledger in
      try ledger.addToken(hash: "live", description: "ci", account: admin.id, expires: nil)
      try ledger.addToken(
        hash: "old", description: "ci", account: admin.id, expires: Timestamp(microseconds: 1))
    }
    #expect(try await ledger.store.read { try $0.account(tokenHash: "live") } == admin)
    #expect(try await ledger.store.read { try $0.account(tokenHash: "old") } == nil)
  }
}
