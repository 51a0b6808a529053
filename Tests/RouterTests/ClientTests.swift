import Glibc
import Linux
import Platform
import Testing
import Wire

@testable import Router

extension LoadTests {
  /// The clients that people use, against a router and an app in Python. They need curl, wrk and python3, and get httpx,
  /// requests and websockets from PyPI when the system has them not.
  @Suite("Real clients")
  struct ClientTests {
    private func withApp(_ body: (TestRouter) async throws -> Void) async throws {
      let app = try await ClientApp()
      #expect(app.apps.count == 2)
      let router = try await TestRouter(app.apps)
      do {
        try await body(router)
        #expect(try await eventually { await router.inFlight() == 0 })
      } catch {
        try await router.stop()
        await app.stop()
        throw error
      }
      try await router.stop()
      await app.stop()
    }

    private func python(_ source: String) async throws {
      try await withApp { router in
        let outcome = try await ClientPrograms.script(source, port: router.port)
        #expect(outcome.status == 0 && outcome.output.hasSuffix("ok\n"), "\(outcome.output)")
      }
    }

    private func curl(_ arguments: [String], port: Int, path: String) async throws -> ClientPrograms.Outcome {
      let url = "http://hello.localhost:\(port)\(path)"
      return try await ClientPrograms.run(
        "curl", ["-sS", "--max-time", "120", "--resolve", "hello.localhost:\(port):127.0.0.1"] + arguments + [url])
    }

    @Test("curl: GET, HEAD, upload with 100-continue and in chunks, HTTP/1.0, keep-alive, an HTTP/1.0 app")
    func curl() async throws {
      let file = "/tmp/paas-router-upload-\(getpid())"
      try Files.writeDurably([UInt8](repeating: 7, count: 8 << 20), to: file)
      defer { unlink(file) }
      try await withApp { router in
        let port = router.port
        let get = try await curl(["-i"], port: port, path: "/a?b")
        #expect(get.output.contains("HTTP/1.1 200 OK") && get.output.contains("GET /a?b 0 "))
        let head = try await curl(["-I"], port: port, path: "/a")
        #expect(head.status == 0 && head.output.lowercased().contains("content-length: "))
        let put = try await curl(["-T", file, "-H", "Expect: 100-continue", "-v"], port: port, path: "/put")
        #expect(put.output.contains("100 Continue") && put.output.contains("PUT /put 8388608 "))
        let chunks = try await curl(
          ["-T", file, "-H", "Transfer-Encoding: chunked", "-H", "Expect:"], port: port, path: "/put")
        #expect(chunks.output.contains("PUT /put 8388608 "))
        let refused = try await curl(["-T", file, "-i", "-H", "Expect: 100-continue"], port: port, path: "/refuse")
        #expect(refused.output.contains("413") && refused.output.hasSuffix("big"))
        let old = try await curl(["-0"], port: port, path: "/a")
        #expect(old.output.contains("GET /a 0 "))
        let twice = try await curl(["-v", "http://hello.localhost:\(port)/first"], port: port, path: "/second")
        #expect(twice.output.contains("Re-using existing connection") && twice.output.contains("GET /second 0 "))
        let oldApp = try await curl([], port: port, path: "/old")
        #expect(oldApp.output.utf8.count == 100_000)
        let events = try await curl(["-N"], port: port, path: "/events")
        #expect(events.output == (0..<5).map { "data: \($0)\n\n" }.joined())
        let large = try await curl(["-o", "/dev/null", "-w", "%{size_download}"], port: port, path: "/large")
        #expect(large.output == "\(20 << 20)")
      }
    }

    @Test("wrk: 64 connections for two seconds without one error", .enabled(if: ClientPrograms.find("wrk") != nil))
    func wrk() async throws {
      let backend = try TestBackend { _ in ok(String(repeating: "k", count: 1024)) }
      let router = try await TestRouter([.live("hello", [backend.endpoint])])
      let url = "http://127.0.0.1:\(router.port)/kilobyte"
      // Two seconds, and as many more as a slow machine needs for the requests.
      for _ in 0..<20 where backend.requests.count <= 200 {
        let outcome = try await ClientPrograms.run(
          "wrk", ["-t2", "-c64", "-d2s", "--timeout", "120s", "-H", "Host: hello.localhost", url])
        #expect(outcome.status == 0 && outcome.output.contains("requests in"), "\(outcome.output)")
        #expect(!outcome.output.contains("Non-2xx") && !outcome.output.contains("Socket errors"), "\(outcome.output)")
      }
      #expect(backend.requests.count > 200)
      #expect(try await eventually { await router.inFlight() == 0 })
      try await router.stop()
      backend.refuse()
    }

    @Test("Python's http.client: keep-alive, HEAD, chunks from a generator")
    func httpClient() async throws {
      try await python(
        """
        c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        for i in range(50):
            c.request("GET", "/%d" % i, headers={"Host": HOST})
            r = c.getresponse()
            assert r.status == 200 and r.read().startswith(b"GET /%d 0 " % i), r.status
            if i == 0: sock = c.sock
            assert c.sock is sock
        c.request("HEAD", "/kilobyte", headers={"Host": HOST})
        r = c.getresponse()
        assert r.status == 200 and r.getheader("content-length") == "1024" and r.read() == b""
        c.request("POST", "/up", body=(b"x" * 1000 for _ in range(100)), headers={"Host": HOST}, encode_chunked=True)
        r = c.getresponse()
        assert r.getheader("x-proto") == "chunked" and r.read().startswith(b"POST /up 100000 ")
        assert c.sock is sock
        print("ok")
        """)
    }

    @Test("requests: a session, a generator's upload, a large download, a stream of events")
    func requests() async throws {
      try await python(
        """
        import requests, hashlib
        s = requests.Session()
        s.headers["Host"] = HOST
        for i in range(50):
            r = s.get(BASE + "/%d" % i, timeout=120)
            assert r.status_code == 200 and r.text.startswith("GET /%d 0 " % i), r.text
        data = b"q" * (3 << 20)
        r = s.post(BASE + "/up", data=data, timeout=120)
        assert r.text == "POST /up %d %s" % (len(data), hashlib.sha256(data).hexdigest()), r.text
        r = s.post(BASE + "/up", data=(data[i:i + 70000] for i in range(0, len(data), 70000)), timeout=120)
        assert r.headers["x-proto"] == "chunked"
        assert r.text == "POST /up %d %s" % (len(data), hashlib.sha256(data).hexdigest()), r.text
        assert s.head(BASE + "/kilobyte", timeout=120).headers["content-length"] == "1024"
        assert len(s.get(BASE + "/large", timeout=120).content) == 20 << 20
        assert len(s.get(BASE + "/old", timeout=120).content) == 100000
        with s.get(BASE + "/events", stream=True, timeout=120) as r:
            assert [l for l in r.iter_lines() if l] == [b"data: %d" % i for i in range(5)]
        print("ok")
        """)
    }

    @Test("httpx: a hundred at once, events as they come, an upload in chunks")
    func httpx() async throws {
      try await python(
        """
        import asyncio, httpx
        async def main():
            async with httpx.AsyncClient(base_url=BASE, headers={"Host": HOST}, timeout=120) as c:
                rs = await asyncio.gather(*(c.get("/%d" % i) for i in range(100)))
                assert all(r.text.startswith("GET /%d 0 " % i) for i, r in enumerate(rs))
                events = 0
                async with c.stream("GET", "/events?paced") as r:
                    async for line in r.aiter_lines():
                        if line:
                            # The app says no more before it hears of this one: nobody has kept it for later.
                            events += 1
                            assert (await c.get("/seen")).status_code == 200
                assert events == 5, events
                async def pieces():
                    for _ in range(50): yield b"p" * 10000
                r = await c.post("/up", content=pieces())
                assert r.headers["x-proto"] == "chunked" and r.text.startswith("POST /up 500000 ")
                r = await c.get("http://127.0.0.1:%d/x" % PORT, headers={"Host": "nobody.localhost"})
                assert r.status_code == 404
        asyncio.run(main())
        print("ok")
        """)
    }

    @Test("websockets: text, 4 MB frames, pings, close codes from either side, a hundred at once")
    func websockets() async throws {
      try await python(
        """
        import asyncio, websockets, os
        from websockets.asyncio.client import connect
        URI = "ws://socket.localhost:%d/" % PORT
        PATIENT = dict(open_timeout=120, ping_timeout=120, close_timeout=120)
        def dial(): return connect(URI, host="127.0.0.1", port=PORT, max_size=None, **PATIENT)
        async def one(i):
            async with dial() as w:
                for n in range(10):
                    await w.send("%d %d" % (i, n))
                    assert await w.recv() == "%d %d" % (i, n)
        async def main():
            async with dial() as w:
                big = os.urandom(4 << 20)
                await w.send(big)
                assert await w.recv() == big
                await (await w.ping())
                await w.send("close me")
                try:
                    await w.recv()
                    assert False
                except websockets.ConnectionClosed as e:
                    assert e.rcvd.code == 4001 and e.rcvd.reason == "as you wish", e
            w = await dial()
            await w.close(4002, "enough")
            assert w.close_code == 4002, w.close_code
            await asyncio.gather(*(one(i) for i in range(100)))
        asyncio.run(main())
        print("ok")
        """)
    }
  }
}
