import Glibc
import Linux
import NIOCore
import NIOPosix
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

/// Time-outs are for peers that do nothing, not for those that do it slowly.
@Suite("Peers that are slow")
struct SlowPeerTests {
  static let size = 1 << 20

  /// Reads a little at a time through a small window, so that most of an answer waits in the router.
  private static func readSlowly(_ line: Line, pause: Int32) throws -> Int {
    var count = 0
    while true {
      let piece = try line.some(most: 8 << 10)
      if piece == 0 { return count }
      count += piece
      if count >= size { return count }
      _ = poll(nil, 0, pause)  // the pace of this client
    }
  }

  /// Ten bytes a second.
  private static func sendSlowly(_ line: Line, _ count: Int) throws {
    for _ in 0..<count {
      try line.write("x")
      _ = poll(nil, 0, 100)  // the pace of this client
    }
  }

  private static func large() throws -> TestBackend {
    try TestBackend { line, backend in
      while true {
        backend.note(try line.message())
        try line.write("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
        try line.write([UInt8](repeating: 7, count: size))
      }
    }
  }

  /// Asks with next to no room in the kernel, after quick clients have made the router's reads from the instance large:
  /// what is not read waits in the router.
  private static func ask(_ router: TestRouter) throws -> Line {
    for _ in 0..<4 {
      let quick = try router.connect()
      try quick.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
      #expect(try quick.toEnd().count > size)
    }
    var room: Int32 = 4096  // the connections that are accepted from here on have no more either
    setsockopt(router.listener, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<Int32>.size))
    let line = try Line.connect(port: router.port, window: 4096)
    try line.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
    _ = try line.head()
    return line
  }

  @Test(
    "a client that is slow to read gets the end of its answer, long after the router has it", arguments: [false, true])
  func finished(drains: Bool) async throws {
    let backend = try Self.large()
    var limits = TestRouter.quick
    limits.keepAlive = drains ? .seconds(60) : .milliseconds(100)
    limits.farewell = .milliseconds(100)
    let router = try await TestRouter([.live("hello", [backend.endpoint])], limits: limits)
    let line = try await blocking { try Self.ask(router) }
    async let read = blocking { try Self.readSlowly(line, pause: 30) }
    if drains {
      async let stopped: Void = router.stop()
      #expect(try await read == Self.size)
      line.end()
      try await stopped
    } else {
      #expect(try await read == Self.size)
      try await router.stop()
    }
  }

  @Test("an answer that a slow client takes all the time is not idle")
  func notIdle() async throws {
    let backend = try Self.large()
    var limits = TestRouter.quick
    limits.idle = .seconds(5)
    try await withRouter([.live("hello", [backend.endpoint])], limits: limits) { router in
      let line = try Self.ask(router)
      #expect(try Self.readSlowly(line, pause: 60) == Self.size)
    }
  }

  @Test("an upload that goes on after the answer has begun is not idle")
  func uploadsBehindHead() async throws {
    let backend = try TestBackend { line, _ in
      _ = try line.head()
      try line.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
      try line.skip(80)
      try line.write("ok")
    }
    var limits = TestRouter.quick
    limits.idle = .seconds(5)
    limits.body = .seconds(60)
    try await withRouter([.live("hello", [backend.endpoint])], limits: limits) { router in
      let line = try router.connect()
      try line.write("PUT / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: 80\r\n\r\n")
      try Self.sendSlowly(line, 80)
      #expect(try line.message().text == "ok")
    }
  }

  @Test("a client that sends on after a refusal, and reads only then, finds it")
  func sendsOn() async throws {
    let backend = try TestBackend { _ in ok("never") }
    var limits = TestRouter.quick
    limits.linger = .seconds(6)
    try await withRouter([.live("hello", [backend.endpoint])], limits: limits) { router in
      let line = try router.connect()
      try line.write("PUT / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: 1000\r\n\r\n")
      try Self.sendSlowly(line, 80)
      #expect(try line.message().status == 404)
    }
  }

  @Test("slow is who takes some in time, dead who takes none, and what was waited for begins when all has left")
  func watch() {
    var watch = SendWatch()
    let start = NIODeadline.uptimeNanoseconds(0)
    func look(_ waiting: Int, _ acknowledged: UInt64, _ seconds: Int64) -> SendWatch.Finding {
      watch.look(
        SentBytes(waiting: waiting, acknowledged: acknowledged), at: start + .seconds(seconds), patience: .seconds(10))
    }
    #expect(look(0, 100, 0) == .idle)
    #expect(look(500, 100, 60) == .moving)
    #expect(look(500, 100, 69) == .moving)
    #expect(look(500, 101, 70) == .moving, "the buffer is as full as before, and the peer reads")
    #expect(look(500, 101, 79) == .moving)
    #expect(look(500, 101, 80) == .stuck)
    #expect(look(0, 0, 81) == .finished)
    #expect(look(0, 0, 82) == .idle)
    #expect(look(500, 601, 90) == .moving)
    watch.reset()
    #expect(look(500, 601, 200) == .moving, "another deadline, looked at for the first time")
  }

  @Test("who guesses at one app's password keeps nobody out of another")
  func guesses() async throws {
    let passwords = Passwords()
    let users = [BasicUser(name: "ann", salt: "00112233", hash: String(repeating: "00", count: 32), rounds: 20_000)]
    let wrong = try #require(Credentials(authorization: "Basic YW5uOndyb25n"))
    let (answers, answered) = AsyncStream.makeStream(of: (isFirst: Bool, isBusy: Bool).self)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let (one, other) = (AppID(), AppID())
    for index in 0..<16 {
      passwords.check(wrong, users, of: index < 15 ? one : other, on: loop) {
        answered.yield((index < 15, $0 == .busy))
      }
    }
    var busy = 0
    var count = 0
    for await answer in answers {
      if answer.isBusy {
        #expect(answer.isFirst)
        busy += 1
      }
      count += 1
      if count == 16 { break }
    }
    #expect(busy > 0)
    try await group.shutdownGracefully()
  }

  @Test("few lines at a time are kept in few pieces")
  func logPieces() {
    let log = AccessLog(.wire, limit: 1 << 20)
    for index in 0..<100 { log.append(ByteBuffer(string: "line \(index)\n")) }
    let first = log.take(most: 1)
    #expect(first.map { String(buffer: $0) } == (0..<100).map { "line \($0)\n" }.joined())
    #expect(log.take() == nil)
  }

  @Test("a connection that gets another name is not another connection")
  func counted() {
    let limit = ConnectionLimit(most: 10, perAddress: 10)
    #expect(limit.enter(IPAddress(high: 0, low: 1)))
    limit.leave(IPAddress(high: 0, low: 1))
    #expect(limit.enter(IPAddress(high: 0, low: 2), isNew: false))
    #expect(limit.accepted == 1 && limit.open == 1)
  }
}
