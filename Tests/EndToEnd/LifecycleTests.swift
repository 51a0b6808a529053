import Glibc
import Linux
import Platform
import Testing
import Wire

extension EndToEnd {
  /// One test per cell of docs/lifecycle.md that CrashTests does not have.
  @Suite(
    "What each event does to each process", .tags(.sandbox),
    .enabled("needs a sandbox", { await SandboxHere.available() }))
  struct LifecycleTests {
    private func instances(_ app: String, _ paas: Installation) async throws -> Set<Int32> {
      Set(try await paas.json([DynoResource].self, ["ps", "-a", app]).compactMap(\.pid))
    }

    private func router(_ paas: Installation) async throws -> ProcessIdentity {
      let platform = try await paas.json(PlatformResource.self, ["platform"])
      return try #require(platform.router_pid.flatMap { ProcessIdentity(pid: $0) })
    }

    @Test("server:stop leaves apps and router running; a new server adopts both")
    func stopKeepsApps() async throws {
      try await Installation.with { paas in
        try await Source.node("kept", answering: "here", in: paas).deploy()
        let before = try await instances("kept", paas)
        let routing = try await router(paas)
        let stopped = try await paas.paas(["server:stop", "--data", paas.data])
        #expect(stopped.status == 0, "\(stopped)")
        #expect(try await paas.get(app: "kept")?.body == "here")
        try await paas.start()
        #expect(try await instances("kept", paas) == before)
        #expect(try await router(paas) == routing)
      }
    }

    @Test("SIGTERM is server:stop")
    func sigterm() async throws {
      try await Installation.with { paas in
        try await Source.node("kept", answering: "here", in: paas).deploy()
        let server = try #require(await paas.server)
        server.child.signal(SIGTERM)
        #expect(await server.outcome().status == 0)
        #expect(try await paas.get(app: "kept")?.body == "here")
        try await paas.start()
      }
    }

    @Test("server:stop --all ends apps and router too, and the next start brings the apps back")
    func stopAll() async throws {
      try await Installation.with { paas in
        try await Source.node("all", answering: "here", in: paas).deploy()
        let before = try await instances("all", paas)
        let routing = try await router(paas)
        let stopped = try await paas.paas(["server:stop", "--all", "--data", paas.data])
        #expect(stopped.status == 0, "\(stopped)")
        #expect(!routing.isAlive)
        #expect(before.allSatisfy { ProcessIdentity(pid: $0) == nil })
        #expect(try await paas.get(app: "all") == nil)
        try await paas.start()
        try await eventually("the app is back") { try await paas.get(app: "all")?.body == "here" }
      }
    }

    @Test("a killed router is back on the same port; apps are untouched")
    func routerKilled() async throws {
      try await Installation.with { paas in
        try await Source.node("again", answering: "here", in: paas).deploy()
        let before = try await instances("again", paas)
        let old = try await router(paas)
        old.signal(SIGKILL)
        try await eventually("another router serves") {
          try await paas.get(app: "again")?.body == "here"
        }
        #expect(try await router(paas) != old)
        #expect(try await instances("again", paas) == before)
      }
    }

    @Test("a killed instance is started again")
    func instanceKilled() async throws {
      try await Installation.with { paas in
        try await Source.node("crash", answering: "here", in: paas).deploy()
        let before = try await instances("crash", paas)
        for pid in before { ProcessIdentity(pid: pid)?.signal(SIGKILL) }
        try await eventually("another instance serves") {
          let now = try await instances("crash", paas)
          let answer = try await paas.get(app: "crash")
          return !now.isEmpty && now.isDisjoint(with: before) && answer?.body == "here"
        }
      }
    }

    @Test("a client that leaves after its build was accepted does not cancel it")
    func clientLeaves() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("gone", answering: "one", in: paas)
        try await source.deploy()
        try source.answer("two")
        try await source.commit("two")
        let push = try Program.start(
          "/usr/bin/git", ["push", "paas", "main"], environment: try await paas.gitEnvironment(),
          directory: source.directory)
        try await eventually("the build speaks") { push.err.text.contains("----->") }
        push.child.signal(SIGKILL, group: true)
        _ = await push.outcome()
        try await eventually("the new version is live") { try await paas.get(app: "gone")?.body == "two" }
        let tip = try await source.head()
        try await eventually("the ref moved") { try await source.remoteTip() == tip }
      }
    }
  }
}
