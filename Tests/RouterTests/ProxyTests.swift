import Glibc
import Platform
import Testing
import Wire

@testable import Router

@Suite("One request through the router")
struct ProxyTests {
  @Test("hop-by-hop headers stay behind, and spoofed forwarding headers are overwritten")
  func headers() async throws {
    let backend = try TestBackend { _ in ok("hi", "Keep-Alive: timeout=5\r\nConnection: X-Secret\r\nX-Secret: 1\r\n") }
    let (response, seen) = try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let response = try router.connect().ask(
        "GET", host: "HELLO.localhost.:8080", path: "/a?b=c",
        headers: "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nX-Forwarded-For: 6.6.6.6\r\n"
          + "X_Forwarded_Proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nProxy: evil\r\n"
          + "X-Request-Id: short\r\nCookie: a=b\r\n")
      return (response, backend.requests)
    }
    let request = try #require(seen.first)
    #expect(request.startLine == "GET /a?b=c HTTP/1.1")
    #expect(request.header("host") == "HELLO.localhost.:8080")
    #expect(request.values("x-forwarded-for") == ["127.0.0.1"])
    #expect(request.values("x-forwarded-proto") == ["http"])
    #expect(request.header("x-forwarded-port") != nil && request.header("x-request-start") != nil)
    #expect(request.values("x-forwarded-host") == ["HELLO.localhost.:8080"])
    #expect(request.values("forwarded") == ["for=127.0.0.1;host=\"HELLO.localhost.:8080\";proto=http"])
    #expect(request.header("via") == "1.1 paas" && request.header("cookie") == "a=b")
    #expect((request.header("x-request-id") ?? "").count == 36)
    for name in ["x-hop", "te", "x_forwarded_proto", "proxy", "connection"] {
      #expect(request.header(name) == nil, "\(name)")
    }
    #expect(response.status == 200 && response.text == "hi" && response.header("via") == "1.1 paas")
    #expect(response.header("keep-alive") == nil && response.header("x-secret") == nil)
  }

  @Test("HEAD, 204 and 304 have no body, and the connection goes on")
  func bodiless() async throws {
    let backend = try TestBackend { request in
      switch request.target {
      case "/head": "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"
      case "/chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      case "/204": "HTTP/1.1 204 No Content\r\n\r\n"
      case "/304": "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: x\r\n\r\n"
      default: ok("end")
      }
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      let head = try line.ask("HEAD", host: "hello.localhost", path: "/head")
      #expect(head.status == 200 && head.header("content-length") == "5000")
      #expect(try line.ask("HEAD", host: "hello.localhost", path: "/chunked").status == 200)
      #expect(try line.ask("GET", host: "hello.localhost", path: "/204").status == 204)
      let notModified = try line.ask("GET", host: "hello.localhost", path: "/304")
      #expect(notModified.status == 304 && notModified.header("etag") == "x")
      #expect(try line.ask("GET", host: "hello.localhost").text == "end")
      #expect(try line.ask("HEAD", host: "nobody.localhost").status == 404)
      #expect(try line.ask("GET", host: "hello.localhost").text == "end")
    }
  }

  @Test("chunks go through both ways, trailers too")
  func chunked() async throws {
    let backend = try TestBackend { request in
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        + "4\r\n\(request.text.prefix(4))\r\n3\r\nend\r\n0\r\nX-Sum: 1\r\n\r\n"
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      for _ in 0..<3 {
        try line.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        try line.write("6\r\nsecond\r\n0\r\n\r\n")
        #expect(try line.message().text == "firsend")
      }
      #expect(backend.requests.map(\.text) == ["firstsecond", "firstsecond", "firstsecond"])
    }
  }

  @Test("Connection: close works from either side, and so does a body that ends with the connection")
  func closing() async throws {
    let backend = try TestBackend { line, backend in
      let request = try line.message()
      backend.note(request)
      if request.target == "/until-close" { return try line.write("HTTP/1.0 200 OK\r\n\r\nall of it") }
      try line.write(ok("bye", "Connection: close\r\n"))
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      for _ in 0..<3 {
        let response = try line.ask("GET", host: "hello.localhost")
        #expect(response.text == "bye" && response.header("connection") == nil)
      }
      #expect(try line.ask("GET", host: "hello.localhost", path: "/until-close").text == "all of it")
      let last = try line.ask("GET", host: "hello.localhost", headers: "Connection: close\r\n")
      #expect(last.text == "bye" && last.header("connection") == "close")
      #expect(try line.toEnd().isEmpty)
      let old = try router.connect()
      try old.write("GET /until-close HTTP/1.0\r\nHost: hello.localhost\r\n\r\n")
      #expect(try old.message().text == "all of it")
      let kept = try router.connect()
      for _ in 0..<2 {
        try kept.write("GET / HTTP/1.0\r\nHost: hello.localhost\r\nConnection: keep-alive\r\n\r\n")
        #expect(try kept.message().header("connection") == "keep-alive")
      }
    }
  }

  @Test("a client that expects 100 gets it from the app, or the app's refusal at once")
  func expectContinue() async throws {
    let backend = try TestBackend { line, backend in
      let head = try line.head()
      if head.target == "/no" { return try line.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno") }
      try line.write("HTTP/1.1 100 Continue\r\n\r\n")
      try line.write(ok(String(decoding: try line.exactly(4), as: UTF8.self)))
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      try line.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
      #expect(try line.message().status == 100)
      try line.write("body")
      #expect(try line.message().text == "body")
      try line.write("POST /no HTTP/1.1\r\nHost: hello.localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
      let refusal = try line.message()
      #expect(refusal.status == 401 && refusal.header("connection") == "close")
    }
  }

  @Test("pipelined requests are answered in order")
  func pipelining() async throws {
    let backend = try TestBackend { ok($0.target) }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      let requests = (0..<20).map { "GET /\($0) HTTP/1.1\r\nHost: hello.localhost\r\n\r\n" }
      try line.write(requests.joined())
      for number in 0..<20 { #expect(try line.message().text == "/\(number)") }
    }
  }

  @Test("ten thousand keep-alive requests lose nothing and use few connections")
  func keepAlive() async throws {
    let backend = try TestBackend { ok($0.target) }
    var limits = TestRouter.quick
    limits.upstreamIdle = .seconds(600)
    try await withRouter([.live("hello", [backend.endpoint])], limits: limits) { router in
      let line = try router.connect()
      var wrong = 0
      for batch in 0..<500 {
        let paths = (0..<20).map { "/\(batch)/\($0)" }
        try line.write(paths.map { "GET \($0) HTTP/1.1\r\nHost: hello.localhost\r\n\r\n" }.joined())
        for path in paths where try line.message().text != path { wrong += 1 }
      }
      #expect(wrong == 0)
      #expect(backend.connections < 20)
    }
  }

  @Test("what is not clearly one request is refused")
  func refusals() async throws {
    let backend = try TestBackend { ok($0.target) }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      func status(_ request: String) throws -> Int {
        let line = try router.connect()
        try line.write(request)
        return try line.message().status
      }
      let host = "Host: hello.localhost\r\n"
      let cases: [(Int, String)] = [
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n\(host)\(host)\r\n"),
        (400, "POST / HTTP/1.1\r\n\(host)Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\n\(host)Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody"),
        (400, "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (405, "CONNECT hello.localhost:80 HTTP/1.1\r\n\(host)\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        (431, "GET / HTTP/1.1\r\n\(host)X: \(String(repeating: "x", count: 70_000))\r\n\r\n"),
        (400, "not http at all\r\n\r\n"),
        (400, "GET http://hello.localhost/y HTTP/1.1\r\nHost: other\r\n\r\n"),
        (200, "GET http://hello.localhost/x HTTP/1.1\r\n\(host)\r\n"),
      ]
      for (expected, request) in cases {
        let found = try status(request)
        #expect(found == expected, "\(request.prefix(80))")
      }
      #expect(backend.requests.map(\.target) == ["/x"])
      #expect(backend.requests.first?.header("host") == "hello.localhost")
    }
  }
}
