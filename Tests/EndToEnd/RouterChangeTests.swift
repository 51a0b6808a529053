import Glibc
import Linux
import Platform
import Testing
import Wire

extension EndToEnd {
  /// One router takes the other's place, in order or not.
  @Suite(
    "What a change of routers costs", .tags(.sandbox), .enabled("needs a sandbox", { await SandboxHere.available() }))
  struct RouterChangeTests {
    private func router(_ paas: Installation) async throws -> ProcessIdentity {
      let platform = try await paas.json(PlatformResource.self, ["platform"])
      return try #require(platform.router_pid.flatMap { ProcessIdentity(pid: $0) })
    }

    private func ended(_ router: ProcessIdentity) async throws {
      try await eventually("the old router has drained") { !router.isAlive }
    }

    @Test("router:restart under load over new connections loses no request and refuses no connection")
    func restart() async throws {
      try await Installation.with { paas in
        try await Source.node("busy", answering: "here", in: paas).deploy()
        let load = Load(host: "busy.localhost", port: try await paas.port("http"), perSecond: 100)
        for _ in 0..<3 {
          let old = try await router(paas)
          let restarted = try await paas.paas(["router:restart"])
          #expect(restarted.status == 0, "\(restarted)")
          #expect(try await router(paas) != old)
          try await ended(old)
          let served = load.count
          try await eventually("the load goes on") { load.count >= served + 50 }
        }
        let result = await load.stop()
        #expect(result.answers.count >= 150 && result.failures.isEmpty, "\(result.failures)")
      }
    }

    @Test("a killed router is back within a second, and then nothing is refused")
    func killed() async throws {
      try await Installation.with { paas in
        try await Source.node("again", answering: "here", in: paas).deploy()
        // A machine that stalls is in one of the times; what the router itself takes is in each.
        var times: [Duration] = []
        while times.count < 3, !times.contains(where: { $0 < Self.allowance }) {
          // One that has lived for ten seconds is started again without a growing delay.
          if !times.isEmpty { await pause(milliseconds: 10_500) }
          let old = try await router(paas)
          let since = ContinuousClock.now
          old.signal(SIGKILL)
          // The socket is the server's too: the connection waits in its queue until somebody accepts.
          #expect(try await paas.get(app: "again")?.body == "here")
          times.append(.now - since)
          #expect(try await router(paas) != old)
        }
        #expect(times.contains { $0 < Self.allowance }, "\(times)")
      }
    }

    /// A debug binary on a busy machine takes several times as long to start.
    private static let allowance: Duration = .seconds(Machine.environment["PAAS_BINARY"] == nil ? 5 : 1)

    @Test("a server of another program takes the router's sockets and exchanges it under load")
    func upgrade() async throws {
      try await Installation.with { paas in
        try await Source.node("newer", answering: "here", in: paas).deploy()
        let old = try await router(paas)
        let other = paas.scratch + "/paas"
        #expect(try await Program.run("/bin/cp", [Installation.binary, other]).status == 0)
        let load = Load(host: "newer.localhost", port: try await paas.port("http"))
        #expect(try await paas.paas(["server:stop", "--data", paas.data]).status == 0)
        try await paas.start(binary: other)
        try await ended(old)
        #expect(try await router(paas) != old)
        let result = await load.stop()
        #expect(result.failures.isEmpty, "\(result.failures)")
      }
    }

    @Test("a server with other limits exchanges the router, which drains by its own; with the same it stays")
    func limits() async throws {
      let drain = ["PAAS_ROUTER_DRAIN_SECONDS": "1"]
      try await Installation.with(environment: drain) { paas in
        let old = try await router(paas)
        let port = try await paas.port("http")
        let target = "/" + String(repeating: "x", count: 2000)
        #expect(await HTTP.get(target, host: "nobody.localhost", port: port)?.status == 404)
        // Who has begun to ask has 30 s, and a drain has by default: it ends sooner.
        let half = try await blocking { try HTTP.connect(port: port, sending: "GET / HT") }
        #expect(try await paas.paas(["server:stop", "--data", paas.data]).status == 0)
        let new = ["PAAS_ROUTER_TARGET_BYTES": "1024"]
        try await paas.start(environment: new)
        try await eventually("the old router has drained", within: .seconds(15)) { !old.isAlive }
        close(half)
        #expect(await HTTP.get(target, host: "nobody.localhost", port: port)?.status == 414)
        let exchanged = try await router(paas)
        #expect(exchanged != old)
        try await paas.killServer()
        try await paas.start(environment: new)
        #expect(try await router(paas) == exchanged)
        #expect(await HTTP.get(target, host: "nobody.localhost", port: port)?.status == 414)
      }
    }

    @Test("a wrong limit of the router stops the start of a server, and of a router alone")
    func wrongLimit() async throws {
      for command in [["server", "--data", "/tmp/paas-e2e-none"], ["router", "--table", "/tmp/paas-e2e-none"]] {
        let value = try await Program.run(
          Installation.binary, command, environment: ["PAAS_ROUTER_QUEUE": "many"])
        #expect(value.status == 1)
        #expect(
          value.err
            == "paas: PAAS_ROUTER_QUEUE is 'many', not a number from 1 to 100000; correct it, or leave it out for the default\n"
        )
        let name = try await Program.run(
          Installation.binary, command, environment: ["PAAS_ROUTER_QEUE": "5"])
        #expect(name.status == 1)
        #expect(name.err == "paas: 'PAAS_ROUTER_QEUE' is no setting of the router; docs/limits.md lists them\n")
      }
    }

    @Test("a server that is killed right after it started a router leaves one that the next server finds")
    func killedInBetween() async throws {
      try await Installation.with { paas in
        try await Source.node("found", answering: "here", in: paas).deploy()
        #expect(try await paas.paas(["server:stop", "--all", "--data", paas.data]).status == 0)
        let reached = paas.scratch + "/reached"
        let half = try Program.start(
          Installation.binary,
          ["server", "--data", paas.data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0", "--api", "127.0.0.1:0"],
          environment: ["PAAS_CHECKPOINT": "router.after-start", "PAAS_CHECKPOINT_FILE": reached], user: paas.user)
        try await eventually("the server has started a router") { Files.exists(reached) }
        half.child.signal(SIGKILL)
        _ = await half.child.exitStatus()
        try await paas.start()
        try await eventually("the app is back") { try await paas.get(app: "found")?.body == "here" }
        #expect(try await Program.run("/usr/bin/pgrep", ["-fc", "paas router --socket \(paas.data)/"]).out == "1\n")
      }
    }

    @Test("a server whose router answers only proxies elsewhere starts, and so does one that finds such a router")
    func proxiesOnly() async throws {
      try await Installation.with(["--proxy-protocol", "--trusted-proxies", "10.0.0.0/8"]) { paas in
        let old = try await router(paas)
        try await paas.killServer()
        try await paas.start()
        #expect(try await router(paas) == old)
      }
    }

    @Test("server:stop --all in the middle of an exchange leaves no router")
    func stoppedInBetween() async throws {
      try await Installation.with { paas in
        let log = paas.data + "/run/router-2.pid"
        async let restarted = paas.paas(["router:restart"])
        try await eventually("another router is started") { Files.exists(log) }
        #expect(try await paas.paas(["server:stop", "--all", "--data", paas.data]).status == 0)
        _ = try await restarted
        #expect(try await Program.run("/usr/bin/pgrep", ["-fc", "paas router --socket \(paas.data)/"]).out == "0\n")
      }
    }

    @Test("after kill -9 of server and router both come back, and the next server has one router")
    func bothKilled() async throws {
      try await Installation.with { paas in
        try await Source.node("both", answering: "here", in: paas).deploy()
        let old = try await router(paas)
        try await paas.killServer()
        old.signal(SIGKILL)
        try await paas.start()
        #expect(try await router(paas) != old)
        try await eventually("the app is back") { try await paas.get(app: "both")?.body == "here" }
      }
    }
  }
}
