import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

@Suite("What an app's owner sets")
struct SettingsTests {
  private func app(
    _ endpoints: [Endpoint], state: RoutedApp.State = .live, _ change: (inout RouteSettings) -> Void
  ) throws -> RoutedApp {
    var app = try RoutedApp.live("hello", endpoints)
    var settings = RouteSettings()
    change(&settings)
    app.settings = settings
    app.state = state
    return app
  }

  @Test("a sticky cookie keeps a browser with its instance")
  func sticky() async throws {
    let backends = try (1...3).map { number in try TestBackend { _ in ok("\(number)") } }
    let app = try app(backends.map(\.endpoint)) { $0.sticky = true }
    try await withRouter([app]) { router in
      let line = try router.connect()
      let first = try line.ask("GET", host: "hello.localhost")
      let cookie = try #require(first.header("set-cookie"))
      let pair = String(cookie.prefix { $0 != ";" })
      #expect(pair.hasPrefix("paas-instance=") && cookie.contains("HttpOnly"))
      for _ in 0..<9 {
        let next = try line.ask("GET", host: "hello.localhost", headers: "Cookie: a=b; \(pair)\r\n")
        #expect(next.text == first.text && next.header("set-cookie") == nil)
      }
      let other = try line.ask("GET", host: "hello.localhost", headers: "Cookie: paas-instance=nonsense\r\n")
      #expect(other.header("set-cookie") != nil)
    }
  }

  @Test("round robin goes around")
  func roundRobin() async throws {
    let backends = try (1...3).map { number in try TestBackend { _ in ok("\(number)") } }
    let app = try app(backends.map(\.endpoint)) { $0.balancing = .roundRobin }
    let answers = try await withRouter([app]) { router in
      let line = try router.connect()
      return try (0..<6).map { _ in try line.ask("GET", host: "hello.localhost").text }
    }
    #expect(Set(answers.prefix(3)).count == 3 && answers.prefix(3) == answers.suffix(3))
  }

  @Test("a mount strips its prefix and says so")
  func mount() async throws {
    let backend = try TestBackend { request in ok("\(request.target) \(request.header("x-forwarded-prefix") ?? "-")") }
    var app = try RoutedApp.live("hello", [backend.endpoint])
    app.mounts = [Mount(host: "site.test", prefix: "/api", strips: true)]
    try await withRouter([app]) { router in
      let line = try router.connect()
      #expect(try line.ask("GET", host: "site.test", path: "/api/users?x=1").text == "/users?x=1 /api")
      #expect(try line.ask("GET", host: "site.test", path: "/api").text == "/ /api")
      #expect(try line.ask("GET", host: "site.test", path: "/api?x").text == "/?x /api")
      #expect(try line.ask("GET", host: "site.test", path: "/other").status == 404)
      #expect(try line.ask("GET", host: "hello.localhost", path: "/api").text == "/api -")
    }
  }

  @Test("a redirect keeps path and query, and the method")
  func redirect() async throws {
    let backend = try TestBackend { _ in ok("hi") }
    var app = try app([backend.endpoint]) {
      $0.redirects = [Redirect(host: "www.test", to: "https://site.test", permanent: true)]
    }
    app.hosts.append("www.test")
    try await withRouter([app]) { router in
      let answer = try router.connect().ask("POST", host: "www.test", path: "/a?b=c", body: "x")
      #expect(answer.status == 308 && answer.header("location") == "https://site.test/a?b=c")
      #expect(try router.connect().ask("GET", host: "hello.localhost").text == "hi")
    }
    #expect(backend.requests.count == 1)
  }

  @Test(
    "a password is asked for, a wrong one refused, and the right one lets in, the second time without the slow hash")
  func password() async throws {
    let backend = try TestBackend { _ in ok("in") }
    let salt: [UInt8] = Array(0..<16)
    let hash = PBKDF2.derive(Array("secret".utf8), salt: salt, rounds: 1000)
    func hex(_ bytes: [UInt8]) -> String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
    let app = try app([backend.endpoint]) {
      $0.users = [BasicUser(name: "ann", salt: hex(salt), hash: hex(hash), rounds: 1000)]
    }
    try await withRouter([app]) { router in
      let line = try router.connect()
      let asked = try line.ask("GET", host: "hello.localhost")
      #expect(asked.status == 401 && asked.header("www-authenticate")?.hasPrefix("Basic realm=\"hello\"") == true)
      // ann:secret, ann:wrong, bob:secret
      for (code, status) in [("YW5uOnNlY3JldA==", 200), ("YW5uOndyb25n", 401), ("Ym9iOnNlY3JldA==", 401)] {
        for _ in 0..<2 {
          let answer = try line.ask("GET", host: "hello.localhost", headers: "Authorization: Basic \(code)\r\n")
          #expect(answer.status == status, "\(code)")
        }
      }
    }
    #expect(backend.requests.count == 2)
  }

  @Test("only allowed networks come in, and a trusted proxy's client is who is asked about")
  func networks() async throws {
    let backend = try TestBackend { _ in ok("in") }
    let app = try app([backend.endpoint]) { $0.allowedNetworks = ["192.0.2.0/24"] }
    try await withRouter([app]) { router in
      let answer = try router.connect().ask("GET", host: "hello.localhost", headers: "X-Forwarded-For: 192.0.2.1\r\n")
      #expect(answer.status == 403)
    }
    let router = try await TestRouter([app]) { $0.trustedProxies = ["127.0.0.0/8"] }
    let port = router.port
    let (good, bad) = try await blocking {
      let line = try Line.connect(port: port)
      return (
        try line.ask("GET", host: "hello.localhost", headers: "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n").status,
        try line.ask("GET", host: "hello.localhost", headers: "X-Forwarded-For: 192.0.2.1, 6.6.6.6\r\n").status
      )
    }
    #expect(good == 200 && bad == 403)
    try await router.stop()
  }

  @Test("a PROXY header names the client, and a connection without one is refused")
  func proxyHeader() async throws {
    let backend = try TestBackend { request in ok(request.header("x-forwarded-for") ?? "") }
    let app = try RoutedApp.live("hello", [backend.endpoint])
    let router = try await TestRouter([app]) { $0.acceptsProxyProtocol = true }
    let port = router.port
    let (named, refused) = try await blocking {
      let line = try Line.connect(port: port)
      try line.write("PROXY TCP4 192.0.2.9 192.0.2.1 5000 80\r\n")
      let named = try line.ask("GET", host: "hello.localhost").text
      return (named, try Line.connect(port: port).ask("GET", host: "hello.localhost").status)
    }
    #expect(named == "192.0.2.9" && refused == 400)
    try await router.stop()
  }

  @Test("a body above the limit is refused, announced or not, and its instance never takes it for whole")
  func bodyLimit() async throws {
    let backend = try TestBackend { _ in ok("in") }
    let app = try app([backend.endpoint]) { $0.bodyLimit = 10 }
    try await withRouter([app]) { router in
      #expect(try router.connect().ask("POST", host: "hello.localhost", body: "0123456789").status == 200)
      #expect(try router.connect().ask("POST", host: "hello.localhost", body: "0123456789a").status == 413)
      let line = try router.connect()
      try line.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
      try line.write("b\r\n0123456789a\r\n0\r\n\r\n")
      #expect(try line.message().status == 413)
    }
    #expect(backend.requests.count == 1)
  }

  @Test("custom pages stand in for ours, in HTML, and maintenance has its own")
  func pages() async throws {
    let crashed = try app([], state: .crashed) { $0.errorPage = "<h1>Oh no</h1>" }
    var offline = try app([], state: .maintenance) { $0.maintenancePage = "<h1>Soon</h1>" }
    offline.hosts = ["offline.test"]
    offline.id = AppID()
    try await withRouter([crashed, offline]) { router in
      let line = try router.connect()
      let page = try line.ask("GET", host: "hello.localhost")
      #expect(page.status == 503 && page.text == "<h1>Oh no</h1>")
      let json = try line.ask("GET", host: "hello.localhost", headers: "Accept: application/json\r\n")
      #expect(json.text.contains("H10") && json.header("content-type") == "application/json")
      #expect(try line.ask("GET", host: "offline.test").text == "<h1>Soon</h1>")
    }
  }

  @Test("requests above an app's concurrency, or an instance's queue, are told to come back: H11")
  func limits() async throws {
    let backend = try TestBackend { _ in ok("done") }
    for change: @Sendable (inout RouteSettings) -> Void in [{ $0.concurrency = 1 }, { $0.queue = 1 }] {
      let router = try await TestRouter([try app([backend.endpoint]) { change(&$0) }])
      // A request whose body is still coming holds its place.
      let first = try router.connect()
      try first.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 1\r\n\r\n")
      let isThere = try await eventually { await router.inFlight() == 1 }
      #expect(isThere)
      let (status, text, after) = try await blocking {
        let line = try router.connect()
        let status = try line.ask("GET", host: "hello.localhost").status
        try first.write("x")
        let text = try first.message().text
        return (status, text, try (0..<20).map { _ in try line.ask("GET", host: "hello.localhost").status })
      }
      #expect(status == 503 && text == "done")
      #expect(after == Array(repeating: 200, count: 20))
      try await router.stop()
    }
  }

  @Test("a request for an app that is starting waits for it, for a while: H20")
  func starting() async throws {
    let backend = try TestBackend { _ in ok("up") }
    var app = try RoutedApp.live("hello", [])
    app.state = .starting
    var limits = TestRouter.quick
    limits.boot = .milliseconds(200)
    let refused = try await withRouter([app], limits: limits) { router in
      try router.connect().ask("GET", host: "hello.localhost")
    }
    #expect(refused.status == 503 && refused.text.contains("H20"))
    let router = try await TestRouter([app])
    let port = router.port
    async let answer = blocking { try Line.connect(port: port).ask("POST", host: "hello.localhost", body: "x").text }
    let isHeld = try await eventually { router.runtime.plane.shared.held.load(ordering: .relaxed) == 1 }
    #expect(isHeld)
    var live = try RoutedApp.live("hello", [backend.endpoint], id: app.id)
    live.hosts = app.hosts
    _ = try await router.runtime.tables.apply(table([live], generation: 2))
    let text = try await answer
    #expect(text == "up")
    try await router.stop()
  }

  @Test("a client that sends thousands of requests before it reads one answer gets all of them, in order")
  func flood() async throws {
    let backend = try TestBackend { ok($0.target) }
    let app = try RoutedApp.live("hello", [backend.endpoint])
    try await withRouter([app]) { router in
      let line = try router.connect()
      let count = 20_000
      startThread {
        // Ends when everything is sent, or the test has failed and closed the connection.
        for number in 0..<count {
          let host = number % 100 == 0 ? "hello.localhost" : "nobody.test"
          guard (try? line.write("GET /\(number) HTTP/1.1\r\nHost: \(host)\r\n\r\n")) != nil else { return }
        }
      }
      for number in 0..<count {
        let answer = try line.message()
        if number % 100 == 0 { #expect(answer.text == "/\(number)") } else { #expect(answer.status == 404) }
      }
    }
  }

  @Test("counts are kept per app, process and class, over all loops and deploys")
  func metrics() async throws {
    let backend = try TestBackend { request in
      request.target == "/bad" ? "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" : ok("12345")
    }
    let app = try RoutedApp.live("hello", [backend.endpoint])
    let router = try await TestRouter([app])
    let port = router.port
    try await blocking {
      for number in 0..<20 {
        let answer = try Line.connect(port: port).ask(
          "POST", host: "hello.localhost", path: number % 4 == 0 ? "/bad" : "/", body: "abc")
        #expect(answer.status == (number % 4 == 0 ? 500 : 200))
      }
      #expect(try Line.connect(port: port).ask("GET", host: "nobody.test").status == 404)
    }
    let metrics = try await router.runtime.tables.metrics()
    let mine = try #require(metrics.apps.first { $0.app == app.id })
    let web = try #require(mine.instances.first { $0.name == "web.1" })
    #expect(web.requests.statuses == [0, 15, 0, 0, 5, 0] && web.requests.latency.reduce(0, +) == 20)
    #expect(web.requests.bytesIn == 60 && web.requests.bytesOut == 75 && web.instance == backend.instance)
    #expect(metrics.refused == 1 && metrics.accepted >= 21)
    // The next deploy's instance bears the name on; then none does.
    let next = Endpoint(instance: InstanceID(), name: "web.1", address: backend.endpoint.address)
    for (generation, endpoints) in [[next], []].enumerated() {
      var changed = app
      changed.endpoints = endpoints
      _ = try await router.runtime.tables.apply(table([changed], generation: UInt64(generation) + 2))
      _ = try await blocking { try Line.connect(port: port).ask("GET", host: "hello.localhost").status }
      let later = try await router.runtime.tables.metrics()
      let rows = later.apps.first { $0.app == app.id }?.instances
      #expect(rows?.map(\.instance) == [endpoints.first?.instance])
      #expect(rows?.first?.requests.statuses == [0, 16, 0, 0, 5, 0])
    }
    try await router.stop()
  }
}
