import Platform
import Testing
import Wire

@testable import Commands

private let user = AccountReference(id: "u", email: "a@b.c")
private let hello = NamedReference(id: "i", name: "hello")

private func release(
  _ version: Int, _ text: String, status: String = "succeeded", current: Bool = false, at time: String
) -> ReleaseResource {
  ReleaseResource(
    id: "r\(version)", app: hello, version: version, description: text, status: status, current: current, user: user,
    slug: ReleaseResource.SlugReference(id: String(repeating: "ab", count: 32), size: 1234), commit: nil, stack: "host",
    process_types: ["web": "gunicorn app:app"], failure: nil, created_at: time, updated_at: time)
}

private func dyno(_ name: String, _ state: String = "up", command: String = "gunicorn app:app") -> DynoResource {
  DynoResource(
    id: name, name: name, type: String(name.prefix { $0 != "." }), command: command, state: state, release: hello,
    pid: 1,
    created_at: "2026-01-12T10:00:00Z", updated_at: "2026-01-12T10:00:00Z")
}

@Suite("What commands print")
struct OutputTests {
  @Test("releases stand in columns, newest first")
  func releases() {
    let text = Releases.text(
      [
        release(5, "Deploy ad7c527e", current: true, at: "2026-01-18T01:36:38Z"),
        release(4, "Set FOO config vars", at: "2026-01-18T01:30:12Z"),
      ], app: "hello", current: 5)
    #expect(
      text == """
        === hello Releases - Current: v5

         v5  Deploy ad7c527e        a@b.c  2026/01/18 01:36:38 +0000
         v4  Set FOO config vars    a@b.c  2026/01/18 01:30:12 +0000

        """)
  }

  @Test("a failed release says so in the list")
  func failedRelease() {
    let text = Releases.text(
      [release(10, "Deploy ad7c527e", status: "failed", at: "2026-01-18T01:36:38Z")], app: "hello", current: nil)
    #expect(text == "=== hello Releases\n\n v10  Deploy ad7c527e  failed  a@b.c  2026/01/18 01:36:38 +0000\n")
  }

  @Test("a release's page holds the slug's SHA-256")
  func releaseInfo() {
    let text = ReleasesInfo.text(release(5, "Deploy ad7c527e", current: true, at: "2026-01-18T01:36:38Z"))
    #expect(text.contains("Slug:   \(String(repeating: "ab", count: 32)) (1234 bytes)\n"))
    #expect(text.contains("Status: succeeded (current)\n"))
    #expect(text.hasPrefix("=== Release v5\n\nApp:    hello\n"))
  }

  @Test("processes stand in one block per type, web first, in the order of their numbers")
  func processes() throws {
    let now = try #require(Moment.parse("2026-01-12T11:00:05Z"))
    let text = Processes.text(
      [dyno("worker.1", "crashed", command: "python work.py"), dyno("web.10"), dyno("web.2")], now: now)
    #expect(
      text == """
        === web: gunicorn app:app (2)

        web.2: up 2026/01/12 10:00:00 +0000 (~ 1h ago)
        web.10: up 2026/01/12 10:00:00 +0000 (~ 1h ago)

        === worker: python work.py (1)

        worker.1: crashed 2026/01/12 10:00:00 +0000 (~ 1h ago)

        """)
  }

  @Test("scaling says what runs now, in the order of the command line")
  func scaling() throws {
    let formation = [
      FormationResource(type: "clock", quantity: 1, command: ""),
      FormationResource(type: "web", quantity: 3, command: ""),
      FormationResource(type: "worker", quantity: 1, command: ""),
    ]
    let updates = try ["web=3", "worker+1"].map(ProcessesScale.change)
    #expect(ProcessesScale.done(formation, updates) == "done, now running web at 3, worker at 1")
  }

  @Test("a config change names its release, or that there is none")
  func configChange() {
    #expect(ConfigChange.done(release: "v7") == "done, v7")
    #expect(ConfigChange.done(release: nil) == "done, nothing changed")
  }

  @Test("a rollback without a version names the one that the server chose")
  func rollbackTarget() {
    #expect(ReleasesRollback.target(release(6, "Rollback to v3", at: "")) == "v3")
    #expect(ReleasesRollback.target(release(6, "Deploy ad7c527e", at: "")) == nil)
  }

  @Test(
    "ages are in the largest whole unit",
    arguments: [(0, "~ 0s ago"), (59, "~ 59s ago"), (60, "~ 1m ago"), (3600, "~ 1h ago"), (90_000, "~ 1d ago")])
  func ages(seconds: Int64, text: String) throws {
    let then = try #require(Moment.parse("2026-03-01T00:00:00Z"))
    let now = Timestamp(microseconds: then.microseconds + seconds * 1_000_000)
    #expect(Moment.ago("2026-03-01T00:00:00Z", now: now) == text)
  }

  @Test(
    "a time of the API is read and written without loss",
    arguments: [
      "1970-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2026-01-18T01:36:38Z", "2100-12-31T12:00:00Z",
    ])
  func times(text: String) {
    #expect(Moment.parse(text)?.rfc3339 == text)
  }
}
