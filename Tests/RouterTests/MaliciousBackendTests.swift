import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

extension LoadTests {
  /// Instances that mean harm, or are broken as if they did. Their client gets a clean error or an answer that visibly
  /// breaks off, in time; other requests notice nothing; what the router reads from them meanwhile is bounded.
  @Suite("Malicious instances")
  struct MaliciousBackendTests {
    enum Kind: String, CaseIterable, Sendable {
      case junk, closesAtOnce, resetsAtOnce, resetsMidBody, endlessStatusLine, endlessField, endlessFields
      case endlessInterim, dripsItsHead, endlessChunkLine, endlessTrailers, neverReads, neverAnswers
      case stopsMidBody, answersFirst

      /// What its client may see; 0: an answer that breaks off.
      var statuses: Set<Int> {
        switch self {
        case .resetsMidBody, .endlessChunkLine, .endlessTrailers, .stopsMidBody: [0]
        case .answersFirst: [200, 503]
        default: [503]
        }
      }
    }

    /// What it may have sent before it is cut off: the router's own buffers and the kernel's.
    static let bounded = 16 << 20

    private static func play(_ kind: Kind, _ line: Line, _ sent: borrowing Atomic<Int>, _ mayReset: Latch) throws {
      func flood(_ piece: String) throws {
        let bytes = Array(String(repeating: piece, count: 1000).utf8)
        while sent.load(ordering: .relaxed) < 256 << 20 {
          try line.write(bytes)
          sent.add(bytes.count, ordering: .relaxed)
        }
      }
      if kind == .answersFirst { try line.write(ok("early")) }
      if kind == .neverReads {
        // The end is only seen by who looks.
        while true {
          var end = [pollfd(fd: line.descriptor, events: Int16(pollHangUp), revents: 0)]
          let found = poll(&end, 1, 60_000)
          if found < 0, errno == EINTR { continue }
          if found <= 0 || end[0].revents != 0 { return }
        }
      }
      _ = try line.head()
      let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
      switch kind {
      case .junk: try line.write("\u{0}\u{1}\u{2} junk\r\n\r\n")
      case .closesAtOnce, .neverReads: return
      case .resetsAtOnce: return line.reset()
      case .resetsMidBody:
        try line.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        mayReset.wait()
        return line.reset()
      case .endlessStatusLine:
        try line.write("HTTP/1.1 200 ")
        try flood("aaaaaaaaaaaaaaaa")
      case .endlessField:
        try line.write("HTTP/1.1 200 OK\r\nX: ")
        try flood("aaaaaaaaaaaaaaaa")
      case .endlessFields:
        try line.write("HTTP/1.1 200 OK\r\n")
        try flood("X-Field: y\r\n")
      case .endlessInterim: try flood("HTTP/1.1 103 Early Hints\r\n\r\n")
      case .dripsItsHead:
        while true {
          try line.write("H")
          _ = poll(nil, 0, 50)
        }
      case .endlessChunkLine:
        try line.write(chunked)
        try flood("0000000000000000")
      case .endlessTrailers:
        try line.write(chunked + "0\r\n")
        try flood("X-Field: y\r\n")
      case .stopsMidBody: try line.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      case .neverAnswers, .answersFirst: break
      }
      _ = try line.toEnd()
    }

    @Test("harms its own client at most", arguments: Kind.allCases)
    func harm(kind: Kind) async throws {
      let sent = Atomic<Int>(0)
      let open = Atomic<Int>(0)
      let mayReset = Latch()
      let evil = try TestBackend { line, _ in
        open.add(1, ordering: .relaxed)
        defer { open.subtract(1, ordering: .relaxed) }
        try Self.play(kind, line, sent, mayReset)
      }
      let good = try TestBackend { ok($0.target) }
      var limits = TestRouter.quick
      // What a machine that stalls takes for the other requests' answers must fit in.
      limits.firstByte = kind.statuses.contains(503) ? .seconds(5) : .seconds(120)
      limits.idle = .seconds(5)
      let router = try await TestRouter(
        [.live("evil", [evil.endpoint]), .live("good", [good.endpoint])], limits: limits)
      let port = router.port
      let (status, elapsed, faults) = try await blocking {
        let start = ContinuousClock.now
        let status = try Self.ask(kind, port: port, mayReset)
        let elapsed = ContinuousClock.now - start
        let answers = try (0..<5).map {
          try Line.connect(port: port).ask("GET", host: "good.localhost", path: "/\($0)")
        }
        return (status, elapsed, answers.enumerated().filter { $1.text != "/\($0)" }.count)
      }
      #expect(kind.statuses.contains(status), "\(status)")
      // Well below the limits a router has by itself.
      #expect(elapsed < .seconds(28))
      #expect(faults == 0)
      #expect(sent.load(ordering: .relaxed) < Self.bounded)
      // Nothing of it is kept: neither in flight nor as a connection.
      #expect(try await eventually { await router.inFlight() == 0 })
      // Who never reads does not see the end either, behind all that it has not read.
      if kind != .answersFirst, kind != .neverReads {
        #expect(try await eventually { open.load(ordering: .relaxed) == 0 })
      }
      try await router.stop()
      evil.refuse()
      good.refuse()
    }

    /// The final status its client gets; 0 when the answer broke off.
    private static func ask(_ kind: Kind, port: Int, _ mayReset: Latch) throws -> Int {
      let line = try Line.connect(port: port)
      if kind == .neverReads {
        try line.write("PUT / HTTP/1.1\r\nHost: evil.localhost\r\nContent-Length: \(256 << 20)\r\n\r\n")
        startThread {
          let piece = [UInt8](repeating: 7, count: 1 << 20)
          for _ in 0..<256 { guard (try? line.write(piece)) != nil else { return } }  // ends when it is cut off
        }
      } else {
        try line.write("GET / HTTP/1.1\r\nHost: evil.localhost\r\n\r\n")
      }
      if kind == .resetsMidBody {
        line.arrival(of: "half")
        mayReset.open()
      }
      do {
        let reader = WireReader(line.descriptor)
        while let answer = try reader.response() {
          if answer.status >= 200 { return answer.status }
        }
        return -1
      } catch {
        guard let partial = error.partial, partial.status == 200 else { throw error }
        return 0
      }
    }

    @Test("what an instance says unasked on an idle connection is nobody's answer")
    func unasked() async throws {
      let answered = (0..<20).map { _ in Latch() }
      let ended = (0..<20).map { _ in Latch() }
      let backend = try TestBackend { line, _ in
        let request = try line.message()
        try line.write(ok(request.target))
        guard let number = Int(request.target.dropFirst()), answered.indices.contains(number) else { return }
        answered[number].wait()
        try line.write(ok("evil"))
        // Whoever sees that has no use for the connection.
        _ = try line.toEnd()
        ended[number].open()
      }
      var limits = TestRouter.quick
      limits.upstreamIdle = .seconds(600)
      let wrong = try await withRouter([.live("hello", [backend.endpoint])], limits: limits) { router in
        try (0..<20).filter { number in
          let answer = try router.connect().ask("GET", host: "hello.localhost", path: "/\(number)")
          answered[number].open()
          return !ended[number].wait() || answer.text != "/\(number)"
        }
      }
      #expect(wrong == [])
      backend.refuse()
    }
  }
}
