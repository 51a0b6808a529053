import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

@Suite("The router and its server")
struct ServerLinkTests {
  @Test("the table comes from the server, is acknowledged when it is in force, and changes with it")
  func follows() async throws {
    let one = try TestBackend { _ in ok("one") }
    let two = try TestBackend { _ in ok("two") }
    let directory = try TestRouter.temporaryDirectory()
    let server = try TestServer(
      path: "\(directory)/router.sock", table: table([.live("hello", [one.endpoint])], generation: 7))
    let router = try await Self.confirmed(by: server)
    func answer() async throws -> String {
      try await blocking { try router.connect().ask("GET", host: "hello.localhost").text }
    }
    #expect(try await answer() == "one")
    #expect(try await eventually { server.reports.contains { $0.generation == 7 } })
    #expect(server.reports.first?.generation == 0)  // a report before the first poll
    // A server that lost its count starts lower; any other number is news.
    server.set(try table([.live("hello", [two.endpoint])], generation: 3))
    #expect(try await eventually { server.reports.last?.generation == 3 })
    #expect(try await answer() == "two")
    #expect(try TableFile(path: "\(router.directory)/table.json").read()?.generation == 3)
    try await router.stop()
    try Files.removeTree(directory)
  }

  /// A router whose first request came behind the server's first table. A router waits a second for that; on a machine
  /// that stalls for as long it is not the router's fault, so one of five is enough.
  private static func confirmed(by server: TestServer) async throws -> TestRouter {
    for _ in 0..<4 {
      let router = try await TestRouter { $0.socketPath = server.path }
      let answer = try await blocking { try router.connect().ask("GET", host: "hello.localhost") }
      #expect(answer.text == "one" || answer.text.contains("H99"))
      if answer.text == "one" { return router }
      try await router.stop()
    }
    return try await TestRouter { $0.socketPath = server.path }
  }

  @Test("the server vanishes and comes back: requests go on, and the next table is taken")
  func serverAway() async throws {
    let one = try TestBackend { _ in ok("one") }
    let two = try TestBackend { _ in ok("two") }
    let directory = try TestRouter.temporaryDirectory()
    let path = "\(directory)/router.sock"
    let server = try TestServer(path: path, table: table([.live("hello", [one.endpoint])], generation: 4))
    let router = try await TestRouter(directory: directory) { $0.socketPath = path }
    func answer() async throws -> String {
      try await blocking { try router.connect().ask("GET", host: "hello.localhost").text }
    }
    #expect(try await eventually { server.reports.contains { $0.generation == 4 } })
    server.vanish()
    for _ in 0..<20 { #expect(try await answer() == "one") }
    unlink(path)
    for _ in 0..<20 { #expect(try await answer() == "one") }
    let next = try TestServer(path: path, table: nil)
    #expect(try await eventually { next.reports.first?.generation == 4 })
    next.set(try table([.live("hello", [two.endpoint])], generation: 5))
    #expect(try await eventually { next.reports.last?.generation == 5 })
    #expect(try await answer() == "two")
    try await router.stop()
  }

  @Test("a new server is told all counters, also of apps that nothing has happened to since")
  func countersAgain() async throws {
    let backend = try TestBackend { _ in ok("one") }
    let directory = try TestRouter.temporaryDirectory()
    let path = "\(directory)/router.sock"
    let server = try TestServer(path: path, table: table([.live("hello", [backend.endpoint])], generation: 4))
    let router = try await TestRouter(directory: directory) { $0.socketPath = path }
    _ = try await blocking { try router.connect().ask("GET", host: "hello.localhost").text }
    func hasOne(_ metrics: RouterMetrics?) -> Bool {
      metrics?.apps.first?.instances.first?.requests.statuses[1] == 1
    }
    #expect(try await eventually { server.metrics.contains(where: hasOne) })
    server.vanish()
    unlink(path)
    let next = try TestServer(path: path, table: nil)
    // Connected and told before the next counters are due: their sender has noticed nothing.
    #expect(try await eventually { next.reports.first?.generation == 4 })
    #expect(try await eventually { hasOne(next.metrics.first) })
    try await router.stop()
  }

  @Test("a router that starts without its server serves the last table of this boot")
  func restored() async throws {
    let backend = try TestBackend { _ in ok("kept") }
    let last = try table([.live("hello", [backend.endpoint])], generation: 9)
    let router = try await TestRouter(restored: last) { $0.socketPath = "/tmp/paas-router-nobody.sock" }
    #expect(try await blocking { try router.connect().ask("GET", host: "hello.localhost").text } == "kept")
    try await router.stop()
  }

  @Test("a table of another boot, or none, routes nothing until the server confirms it")
  func otherBoot() async throws {
    let backend = try TestBackend { _ in ok("confirmed") }
    let apps = [try RoutedApp.live("hello", [backend.endpoint])]
    for last in [table(apps, generation: 9, bootID: "another"), nil] {
      let directory = try TestRouter.temporaryDirectory()
      let path = "\(directory)/router.sock"
      let router = try await TestRouter(directory: directory, restored: last) { $0.socketPath = path }
      func ask() async throws -> Message {
        try await blocking { try router.connect().ask("GET", host: "hello.localhost") }
      }
      let before = try await ask()
      #expect(before.status == 503 && before.text.contains("H99"))
      #expect(backend.requests.isEmpty || last == nil)
      // The same number again confirms it.
      let server = try TestServer(path: path, table: table(apps, generation: 9))
      #expect(try await eventually { try await ask().text == "confirmed" })
      #expect(server.state.withLock { $0.asked.first } == "/router/table?after=0")
      try await router.stop()
    }
  }

  @Test("the access log reaches the server in Heroku's shape, and lines lost while it was away are counted")
  func accessLog() async throws {
    let backend = try TestBackend { _ in ok("hi") }
    let app = try RoutedApp.live("hello", [backend.endpoint])
    let directory = try TestRouter.temporaryDirectory()
    let path = "\(directory)/router.sock"
    var limits = TestRouter.quick
    limits.logBytes = 500
    let router = try await TestRouter(directory: directory, restored: table([app]), limits: limits) {
      $0.socketPath = path
    }
    let asked = try await blocking {
      let line = try router.connect()
      var asked = 0
      while router.runtime.log.dropped < 2 {
        _ = try line.ask("GET", host: "hello.localhost", path: "/\(asked)?q=\"")
        asked += 1
      }
      return asked
    }
    let server = try TestServer(path: path, table: nil)
    // The last answer was seen before its line was dropped, perhaps.
    #expect(try await eventually { server.lines.count == asked - router.runtime.log.dropped + 1 })
    let lost = router.runtime.log.dropped
    let first = try #require(server.lines.first)
    #expect(first.app == app.id)
    #expect(first.text.hasPrefix("at=info method=GET path=\"/0?q=?\" host=hello.localhost request_id="))
    #expect(first.text.contains(" fwd=\"127.0.0.1\" dyno=web.1 connect="))
    #expect(first.text.hasSuffix(" status=200 bytes=2 protocol=http"))
    #expect(server.lines.last?.text == "at=error code=L10 desc=\"Log lines dropped\" count=\(lost)")
    try await router.stop()
  }
}
