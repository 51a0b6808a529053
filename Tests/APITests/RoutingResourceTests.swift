import Client
import Platform
import Testing
import Wire

@testable import API

@Suite("Routing resources")
struct RoutingResourceTests {
  /// Serves with a router that takes every table, as one process of ours.
  private func serving(_ body: (TestPlatform) async throws -> Void) async throws {
    try await TestPlatform.serving { platform in
      let router = Task {
        var generation: UInt64 = 3
        while !Task.isCancelled {
          let report = RouterReport(generation: generation, inFlight: [], router: "r1")
          try await platform.router.post(RouterRoutes.report, report)
          let path = RouterRoutes.table(after: generation, router: "r1")
          let answer = try await platform.router.call(ClientRequest(.get, path))
          if answer.status == 200 { generation = try answer.decoded(as: RoutingTable.self).generation }
        }
      }
      defer { router.cancel() }
      try await body(platform)
    }
  }

  private func error(_ client: PaasClient, _ request: ClientRequest) async -> APIError? {
    await #expect(throws: (any Error).self) { try await client.call(request) } as? APIError
  }

  private func json(_ method: Method, _ path: String, _ text: String) -> ClientRequest {
    ClientRequest(method, path, headers: ["Content-Type": "application/json"], body: .bytes(Array(text.utf8)))
  }

  @Test("domains speak Heroku's Platform API")
  func domains() async throws {
    try await serving { platform in
      let client = platform.control
      _ = try await client.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      _ = try await client.post("/apps", AppCreate(name: "other"), as: AppResource.self)
      let made = try await client.call(
        json(.post, "/apps/hello/domains", #"{"hostname":"WWW.Example.com","sni_endpoint":null}"#))
      #expect(made.status == 201)
      let domain = try made.decoded(as: DomainResource.self)
      #expect(domain.hostname == "www.example.com" && domain.app.name == "hello")
      let clash = await error(client, json(.post, "/apps/other/domains", #"{"hostname":"www.example.com"}"#))
      #expect(clash?.id == "conflict" && clash?.message.contains("hello") == true)
      #expect(
        await error(client, json(.post, "/apps/other/domains", #"{"hostname":"1.2.3.4"}"#))?.id == "invalid_params")
      let path: DomainResource = try await client.post(
        "/apps/other/domains", DomainCreate(hostname: "www.example.com/a/b"))
      #expect(path.prefix == "/a/b")
      _ = try await client.delete("/apps/other/domains/www.example.com%2Fa%2Fb", as: DomainResource.self)
      let list: [DomainResource] = try await client.get("/apps/hello/domains")
      #expect(list.map(\.hostname) == ["hello.localhost", "www.example.com"])
      _ = try await client.delete("/apps/hello/domains/\(domain.id)", as: DomainResource.self)
      #expect(try await client.get("/apps/hello/domains", as: [DomainResource].self).count == 1)
    }
  }

  @Test("another account's app and names are not there, and its clash names no app")
  func strangers() async throws {
    try await serving { platform in
      _ = try await platform.control.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      for path in ["domains", "routing", "metrics", "redirects", "auth", "ips", "pages/error"] {
        #expect(await error(platform.tcp, ClientRequest(.get, "/apps/hello/\(path)"))?.id == "unauthorized", "\(path)")
      }
      #expect(await error(platform.tcp, ClientRequest(.get, "/metrics"))?.id == "unauthorized")
      #expect(await error(platform.tcp, ClientRequest(.post, "/platform/router/restart"))?.id == "unauthorized")
    }
  }

  @Test("settings, redirects, users, networks and pages have resources")
  func settings() async throws {
    try await serving { platform in
      let client = platform.control
      _ = try await client.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      let on = try await client.call(json(.patch, "/apps/hello", #"{"maintenance":true}"#)).decoded(
        as: AppResource.self)
      #expect(on.maintenance == true)
      _ = try await client.call(json(.patch, "/apps/hello/routing", #"{"sticky":true,"queue":5}"#))
      _ = try await client.call(
        json(
          .post, "/apps/hello/redirects", #"{"from":"hello.localhost","to":"https://example.com","permanent":false}"#))
      let user = try await client.call(json(.post, "/apps/hello/auth", #"{"name":"ann"}"#))
      #expect(try user.decoded(as: BasicUserResource.self).password?.count == 24)
      _ = try await client.call(json(.post, "/apps/hello/ips", #"{"networks":["192.0.2.0/24"]}"#))
      let page = ClientRequest(.put, "/apps/hello/pages/error", body: .bytes(Array("<p>oh</p>".utf8)))
      _ = try await client.call(page)
      let routing: RoutingResource = try await client.get("/apps/hello/routing")
      #expect(routing.maintenance && routing.sticky == true && routing.queue == 5 && routing.users == ["ann"])
      #expect(routing.ips == ["192.0.2.0/24"] && routing.error_page == 9 && routing.redirects.count == 1)
      _ = try await client.delete("/apps/hello/redirects/hello.localhost", as: RedirectResource.self)
      _ = try await client.delete("/apps/hello/auth/ann", as: BasicUserResource.self)
      let some = #"{"networks":["192.0.2.1/32","192.0.2.1","2001:db8::/32"]}"#
      let three = try await client.call(json(.post, "/apps/hello/ips", some)).decoded(as: NetworksResource.self)
      #expect(three.networks == ["192.0.2.0/24", "192.0.2.1", "2001:db8::/32"])
      for network in ["192.0.2.77%2F24", "2001:db8::%2F32"] {
        _ = try await client.delete("/apps/hello/ips/\(network)", as: NetworksResource.self)
      }
      #expect(await error(client, ClientRequest(.delete, "/apps/hello/ips/192.0.2.0%2F24"))?.id == "not_found")
      #expect(await error(client, ClientRequest(.delete, "/apps/hello/ips/192.0.2.1%2F32"))?.id == "conflict")
      _ = try await client.delete("/apps/hello/ips", as: NetworksResource.self)
      _ = try await client.delete("/apps/hello/pages/error", as: RoutingResource.self)
      _ = try await client.call(json(.patch, "/apps/hello/routing", #"{"unset":["sticky","queue"]}"#))
      let after: RoutingResource = try await client.get("/apps/hello/routing")
      #expect(after.users.isEmpty && after.ips.isEmpty && after.redirects.isEmpty && after.sticky == nil)
      #expect(
        await error(client, ClientRequest(.put, "/apps/hello/pages/other", body: .bytes([65])))?.id == "not_found")
    }
  }

  @Test("log lines of a router that still sends JSON are refused, so that it keeps them")
  func oldLogLines() async throws {
    try await serving { platform in
      let old = ClientRequest(.post, RouterRoutes.logs, body: .bytes(Array("[{}]".utf8)))
      let refused = await error(platform.router, old)
      #expect(refused?.id == "bad_request")
      let new = ClientRequest(.post, RouterRoutes.logs, body: .bytes(Array("x\n".utf8)))
      let taken = try await platform.router.call(new)
      #expect(taken.status == 204)
    }
  }

  @Test("a router's counters come out as JSON and as Prometheus' text")
  func metrics() async throws {
    try await serving { platform in
      let client = platform.control
      let app: AppResource = try await client.post("/apps", AppCreate(name: "hello"))
      let id = try #require(AppID(app.id))
      var counted = RequestMetrics(statuses: [0, 7, 0, 0, 1, 0])
      counted.latency[2] = 8
      let instance = InstanceMetrics(
        instance: InstanceID(), name: "web.1", inFlight: 1, isEjected: false, requests: counted)
      let apps = try [id, AppID()].map { app in
        AppMetrics(app: app, name: try AppName("hello"), own: RequestMetrics(), instances: [instance])
      }
      let metrics = RouterMetrics(
        router: "r1", connections: 4, accepted: 9, refused: 0, droppedLines: 0, held: 0, generation: 1, apps: apps)
      try await platform.router.post(RouterRoutes.metrics, metrics)
      let shown: AppMetricsResource = try await client.get("/apps/hello/metrics")
      #expect(shown.total.requests == 8 && shown.total.error_rate == 0.125)
      #expect(shown.processes.first { $0.name == "web.1" }?.in_flight == 1)
      let page = try await client.call(ClientRequest(.get, "/metrics"))
      #expect(page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
      let text = String(decoding: page.body, as: UTF8.self)
      #expect(text.contains(#"paas_router_requests_total{app="hello",process="web.1",class="5xx"} 1"#))
      #expect(text.contains("paas_router_connections 4"))
    }
  }
}
