import Glibc
import Linux
import Platform
import Testing
import Wire

extension EndToEnd {
  /// What an app's owner sets for its routes, over the commands and seen by a client.
  @Suite(
    "How requests are led to apps", .tags(.sandbox),
    .enabled("needs a sandbox", { await SandboxHere.available() }))
  struct RoutingTests {
    private func status(_ paas: Installation, host: String, _ path: String = "/", headers: [String] = []) async throws
      -> Answer?
    {
      await HTTP.get(path, host: host, port: try await paas.port("http"), headers: headers)
    }

    @Test("a domain serves the app when domains:add returns, and not when domains:remove has")
    func domains() async throws {
      try await Installation.with { paas in
        try await Source.node("shop", answering: "shop", in: paas).deploy()
        #expect(try await status(paas, host: "www.example.com")?.status == 404)
        let added = try await paas.paas(["domains:add", "WWW.example.com.", "-a", "shop"])
        #expect(added.status == 0, "\(added)")
        #expect(try await status(paas, host: "www.example.com")?.body == "shop")
        #expect(try await paas.ssh(["domains", "shop"]).out.contains("www.example.com"))
        let again = try await paas.paas(["domains:add", "www.example.com", "-a", "shop"])
        #expect(again.status == 5, "\(again)")
        #expect(try await paas.paas(["domains:remove", "www.example.com", "-a", "shop"]).status == 0)
        #expect(try await status(paas, host: "www.example.com")?.status == 404)
      }
    }

    @Test("a claim that clashes is refused with exit code 5, and the name stays where it is")
    func clash() async throws {
      try await Installation.with { paas in
        try await Source.node("first", answering: "first", in: paas).deploy()
        #expect(try await paas.paas(["apps:create", "second"]).status == 0)
        #expect(try await paas.paas(["domains:add", "www.example.com", "-a", "first"]).status == 0)
        for name in ["www.example.com", "localhost", "first.localhost", "nobody.localhost"] {
          let refused = try await paas.paas(["domains:add", name, "-a", "second"])
          #expect(refused.status == 5, "\(name) \(refused)")
        }
        for name in ["127.0.0.1", "*.localhost"] {
          #expect(try await paas.paas(["domains:add", name, "-a", "second"]).status == 2)
        }
        #expect(try await status(paas, host: "www.example.com")?.body == "first")
        #expect(try await paas.paas(["apps:destroy", "-a", "first", "--confirm", "first"]).status == 0)
        #expect(try await paas.paas(["domains:add", "www.example.com", "-a", "second"]).status == 0)
      }
    }

    @Test("maintenance:on answers for the app, and maintenance:off lets requests through again")
    func maintenance() async throws {
      try await Installation.with { paas in
        try await Source.node("pause", answering: "here", in: paas).deploy()
        #expect(try await paas.paas(["maintenance:on", "-a", "pause"]).status == 0)
        #expect(try await paas.get(app: "pause")?.status == 503)
        #expect(try await paas.paas(["maintenance", "-a", "pause"]).out == "on\n")
        #expect(try await paas.paas(["maintenance:off", "-a", "pause"]).status == 0)
        #expect(try await paas.get(app: "pause")?.body == "here")
      }
    }

    @Test("a wildcard and a path lead to their apps")
    func wildcardAndPath() async throws {
      try await Installation.with { paas in
        try await Source.node("wide", answering: "wide", in: paas).deploy()
        try await Source.node("deep", answering: "deep", in: paas).deploy()
        #expect(try await paas.paas(["domains:add", "*.example.com", "-a", "wide"]).status == 0)
        #expect(try await paas.paas(["domains:add", "a.example.com/api", "-a", "deep"]).status == 0)
        #expect(try await status(paas, host: "b.example.com")?.body == "wide")
        #expect(try await status(paas, host: "a.example.com", "/api/x")?.body == "deep")
        #expect(try await status(paas, host: "a.example.com", "/apis")?.body == "wide")
      }
    }

    @Test("auth:add asks everybody for a password")
    func auth() async throws {
      try await Installation.with { paas in
        try await Source.node("gate", answering: "in", in: paas).deploy()
        let added = try await paas.paas(
          ["auth:add", "ann", "--password-stdin", "-a", "gate"], input: "open sesame\n")
        #expect(added.status == 0 && added.out.isEmpty, "\(added)")
        let refused = try #require(try await paas.get(app: "gate"))
        #expect(refused.status == 401 && refused.head.lowercased().contains("www-authenticate: basic"))
        // ann:open sesame, ann:wrong words
        let good = try await status(
          paas, host: "gate.localhost", headers: ["Authorization: Basic YW5uOm9wZW4gc2VzYW1l"])
        #expect(good?.body == "in")
        let bad = try await status(paas, host: "gate.localhost", headers: ["Authorization: Basic YW5uOndyb25nIHdvcmRz"])
        #expect(bad?.status == 401)
        let made = try await paas.paas(["auth:add", "bob", "-a", "gate"])
        #expect(made.out.split(separator: "\n").first?.count == 24)
        for user in ["ann", "bob"] { #expect(try await paas.paas(["auth:remove", user, "-a", "gate"]).status == 0) }
        #expect(try await paas.get(app: "gate")?.body == "in")
      }
    }

    @Test("ips:allow keeps everybody else out")
    func ips() async throws {
      try await Installation.with { paas in
        try await Source.node("list", answering: "in", in: paas).deploy()
        #expect(try await paas.paas(["ips:allow", "192.0.2.0/24", "-a", "list"]).status == 0)
        #expect(try await paas.get(app: "list")?.status == 403)
        #expect(try await paas.paas(["ips:allow", "127.0.0.0/8", "-a", "list"]).status == 0)
        #expect(try await paas.get(app: "list")?.body == "in")
        #expect(try await paas.paas(["ips:clear", "-a", "list"]).status == 0)
        #expect(try await paas.json(NetworksResource.self, ["ips", "-a", "list"]).networks.isEmpty)
      }
    }

    @Test("a redirect keeps path and query")
    func redirect() async throws {
      try await Installation.with { paas in
        try await Source.node("move", answering: "here", in: paas).deploy()
        #expect(try await paas.paas(["domains:add", "example.com", "-a", "move"]).status == 0)
        let added = try await paas.paas(["redirects:add", "example.com", "https://www.example.com", "-a", "move"])
        #expect(added.status == 0, "\(added)")
        let answer = try #require(try await status(paas, host: "example.com", "/a/b?c=d"))
        #expect(answer.status == 308)
        #expect(answer.head.lowercased().contains("location: https://www.example.com/a/b?c=d"))
        #expect(try await paas.get(app: "move")?.body == "here")
        #expect(try await paas.paas(["redirects:remove", "example.com", "-a", "move"]).status == 0)
        #expect(try await status(paas, host: "example.com")?.body == "here")
      }
    }

    @Test("custom pages stand in for the platform's")
    func pages() async throws {
      try await Installation.with { paas in
        try await Source.node("page", answering: "here", in: paas).deploy()
        let set = try await paas.paas(["pages:set", "maintenance", "-", "-a", "page"], input: "<p>back at ten</p>")
        #expect(set.status == 0, "\(set)")
        #expect(try await paas.paas(["maintenance:on", "-a", "page"]).status == 0)
        let answer = try await status(paas, host: "page.localhost", headers: ["Accept: text/html"])
        #expect(answer?.status == 503 && answer?.body == "<p>back at ten</p>")
      }
    }

    @Test("a sticky app keeps a browser with its process")
    func sticky() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("keep", answering: "x", in: paas)
        try source.write(
          "server.js",
          """
          require('http').createServer((request, response) => response.end(process.env.DYNO))
            .listen(process.env.PORT, '0.0.0.0')
          """)
        try await source.commit("says who it is")
        try await source.deploy()
        #expect(try await paas.paas(["ps:scale", "web=3", "-a", "keep"]).status == 0)
        #expect(try await paas.paas(["routing:set", "sticky=on", "balancing=round-robin", "-a", "keep"]).status == 0)
        let first = try #require(try await paas.get(app: "keep"))
        let line = first.head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("set-cookie:") }
        let cookie = try #require(line?.dropFirst(11).split(separator: ";").first).trimmed
        for _ in 0..<10 {
          let answer = try await status(paas, host: "keep.localhost", headers: ["Cookie: \(cookie)"])
          #expect(answer?.body == first.body)
        }
      }
    }

    @Test("requests are counted for the terminal and for Prometheus")
    func metrics() async throws {
      try await Installation.with(["--open-metrics"]) { paas in
        try await Source.node("count", answering: "1", in: paas).deploy()
        for _ in 0..<20 { #expect(try await paas.get(app: "count")?.status == 200) }
        try await eventually("the counters arrive") {
          try await paas.json(AppMetricsResource.self, ["metrics", "-a", "count"]).total.requests >= 20
        }
        let page = await HTTP.get("/metrics", host: "localhost", port: try await paas.port("api"))
        #expect(page?.status == 200)
        #expect(page?.body.contains(#"paas_router_requests_total{app="count",process="web.1",class="2xx"} 2"#) == true)
      }
    }
  }
}

extension Substring {
  fileprivate var trimmed: Substring { drop { $0 == " " } }
}
