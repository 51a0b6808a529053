import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

extension LoadTests {
  @Suite("Tunnels, many and large")
  struct TunnelTests {
    static let upgrade =
      "GET /ws HTTP/1.1\r\nHost: hello.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    static let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    @Test("five thousand WebSockets are open at once, echo, and leave nothing behind")
    func fiveThousand() async throws {
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      try #require(limit.rlim_cur >= 16_000, "5,000 tunnels take 15,000 descriptors: raise the hard limit (ulimit -Hn)")
      let echo = try EchoProgram()
      // Five thousand take their time on a slow machine, and most of them wait meanwhile.
      var limits = TestRouter.quick
      limits.keepAlive = .seconds(600)
      limits.connect = .seconds(120)
      limits.hold = .seconds(120)
      limits.firstByte = .seconds(600)
      limits.idle = .seconds(600)
      let router = try await TestRouter([.live("hello", [echo.endpoint])], limits: limits)
      let port = router.port
      let crowd = try await blocking {
        let crowd = try TunnelCrowd(count: 5000, port: port)
        try crowd.greet()
        return crowd
      }
      #expect(await router.inFlight() == 5000)
      let echoed = try await blocking { try crowd.echo(rounds: 3) }
      #expect(echoed == 15_000)
      crowd.close()
      #expect(try await eventually { await router.inFlight() == 0 })
      try await router.stop()
      #expect(await echo.stop() == 0)
    }

    @Test("bytes right behind the 101 are the tunnel's, and so is an end right behind them")
    func behind101() async throws {
      let backend = try TestBackend { line, _ in
        _ = try line.head()
        try line.write(Self.switching + String(repeating: "w", count: 200_000))
      }
      let received = try await withRouter([.live("hello", [backend.endpoint])]) { router in
        let line = try router.connect()
        try line.write(Self.upgrade)
        let head = try line.head()
        return (head.status, try line.toEnd().count)
      }
      #expect(received == (101, 200_000))
      backend.refuse()
    }

    @Test("each side can end its half, and the other half goes on", arguments: [true, false])
    func halfClose(clientFirst: Bool) async throws {
      let heard = Mutex<String>("")
      let backend = try TestBackend { line, _ in
        _ = try line.head()
        try line.write(Self.switching)
        if clientFirst {
          let all = latin1(try line.toEnd())
          heard.withLock { $0 = all }
          try line.write("after")
        } else {
          try line.write("before")
          line.endOutput()
          let all = latin1(try line.toEnd())
          heard.withLock { $0 = all }
        }
      }
      let router = try await TestRouter([.live("hello", [backend.endpoint])])
      let text = try await blocking {
        let line = try router.connect()
        try line.write(Self.upgrade)
        _ = try line.head()
        if clientFirst {
          try line.write("question")
          line.endOutput()
          return latin1(try line.toEnd())
        }
        let text = latin1(try line.toEnd())
        try line.write("question")
        line.endOutput()
        return text
      }
      #expect(text == (clientFirst ? "after" : "before"))
      #expect(try await eventually { heard.withLock { $0 } == "question" })
      #expect(try await eventually { await router.inFlight() == 0 })
      try await router.stop()
      backend.refuse()
    }

    @Test("a reset on one side ends the other side", arguments: [true, false])
    func reset(byClient: Bool) async throws {
      let ended = Atomic<Bool>(false)
      let backend = try TestBackend { line, _ in
        _ = try line.head()
        try line.write(Self.switching)
        _ = try line.exactly(1)
        if byClient {
          while (try? line.exactly(1)) != nil {}  // an error is an end as well
          ended.store(true, ordering: .releasing)
        } else {
          line.reset()
        }
      }
      let router = try await TestRouter([.live("hello", [backend.endpoint])])
      try await blocking {
        let line = try router.connect()
        try line.write(Self.upgrade)
        _ = try line.head()
        try line.write("x")
        if byClient { return line.reset() }
        while (try? line.exactly(1)) != nil {}  // an error is an end as well
        ended.store(true, ordering: .releasing)
      }
      #expect(try await eventually { ended.load(ordering: .acquiring) })
      #expect(try await eventually { await router.inFlight() == 0 })
      try await router.stop()
      backend.refuse()
    }

    @Test("64 MB each way at once wait for a reader, and arrive whole")
    func backPressure() async throws {
      let large = 64 << 20
      let sent = Atomic<Int>(0)
      let back = Atomic<Int>(0)
      let mayRead = Atomic<Bool>(false)
      @Sendable func flood(_ line: Line, _ counter: borrowing Atomic<Int>) throws {
        let piece = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for _ in 0..<(large >> 20) {
          try line.write(piece)
          counter.add(piece.count, ordering: .relaxed)
        }
      }
      let backend = try TestBackend { line, _ in
        _ = try line.head()
        try line.write(Self.switching)
        startThread { try? flood(line, back) }  // what fails is seen by the client, as missing bytes
        while !mayRead.load(ordering: .acquiring) { _ = poll(nil, 0, 5) }
        try line.skip(large)
        while back.load(ordering: .relaxed) < large { _ = poll(nil, 0, 5) }
        try line.write("!")
        _ = try line.toEnd()
      }
      try await withRouter([.live("hello", [backend.endpoint])]) { router in
        let line = try router.connect()
        try line.write(Self.upgrade)
        _ = try line.head()
        startThread { try? flood(line, sent) }  // what fails is seen by the instance, as missing bytes
        #expect(stalls { sent.load(ordering: .relaxed) + back.load(ordering: .relaxed) } < 48 << 20)
        mayRead.store(true, ordering: .releasing)
        try line.skip(large)
        #expect(latin1(try line.exactly(1)) == "!")
      }
      backend.refuse()
    }
  }
}

/// Many tunnels through a router, all of one thread.
final class TunnelCrowd: @unchecked Sendable {  // no lock: the test hands it from one step to the next
  private var descriptors: [Int32] = []

  init(count: Int, port: Int) throws {
    var address = loopback(port)
    for _ in 0..<count {
      let descriptor: Int32 = try checked("make a socket") {
        socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      }
      descriptors.append(descriptor)
      try withUnsafePointer(to: &address) {
        try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          _ = try checked("connect") { connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
      }
    }
  }

  deinit { close() }

  func close() {
    for descriptor in descriptors { Glibc.close(descriptor) }
    descriptors = []
  }

  /// Upgrades all, with a byte behind each request that comes back behind each answer.
  func greet() throws {
    let wanted = LoadTests.TunnelTests.switching.utf8.count + 1
    for descriptor in descriptors { say(descriptor, LoadTests.TunnelTests.upgrade + "x") }
    let texts = try collect { $0.hasSuffix("\r\n\r\nx") || $0.utf8.count > wanted + 4096 }
    guard texts.allSatisfy({ $0.hasPrefix("HTTP/1.1 101 ") && $0.hasSuffix("\r\n\r\nx") }) else {
      throw LineError.failed("upgrade: \(texts.first { !$0.hasPrefix("HTTP/1.1 101 ") } ?? "")", 0)
    }
  }

  /// Says something of its own into each, and counts what came back right.
  func echo(rounds: Int) throws -> Int {
    var right = 0
    for round in 0..<rounds {
      let words = descriptors.indices.map { "\(round) of \($0)." }
      for (descriptor, word) in zip(descriptors, words) { say(descriptor, word) }
      right += zip(try collect { $0.hasSuffix(".") }, words).filter(==).count
    }
    return right
  }

  private func say(_ descriptor: Int32, _ text: String) {
    _ = send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
  }

  /// Reads from all of them until each has what it waits for, for five minutes at most.
  private func collect(until isDone: (String) -> Bool) throws -> [String] {
    var texts = [String](repeating: "", count: descriptors.count)
    var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var piece = [UInt8](repeating: 0, count: 4096)
    var left = polls.count
    let deadline = ContinuousClock.now + .seconds(300)
    while left > 0, ContinuousClock.now < deadline {
      _ = poll(nil, 0, 20)  // one look at five thousand is not cheap: let some of them come together
      guard poll(&polls, nfds_t(polls.count), 1000) > 0 else { continue }
      for index in polls.indices where polls[index].revents != 0 {
        let count = recv(descriptors[index], &piece, piece.count, Int32(MSG_DONTWAIT))
        if count > 0 { texts[index] += latin1(piece[0..<count]) }
        guard count <= 0 || isDone(texts[index]) else { continue }
        polls[index].fd = -1  // poll looks over it
        left -= 1
      }
    }
    return texts
  }
}
