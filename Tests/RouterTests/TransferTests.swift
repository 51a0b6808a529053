import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

@Suite("Large bodies, tunnels, and ends that come too early")
struct TransferTests {
  static let large = 100 << 20
  /// What the kernel's buffers on four sockets and the router's own may hold together.
  static let bounded = 40 << 20

  @Test("a download of 100 MB waits for a client that does not read, and arrives whole")
  func download() async throws {
    let sent = Atomic<Int>(0)
    let backend = try TestBackend { line, _ in
      _ = try line.message()
      try line.write("HTTP/1.1 200 OK\r\nContent-Length: \(Self.large)\r\n\r\n")
      let piece = [UInt8](repeating: 7, count: 1 << 20)
      for _ in 0..<(Self.large >> 20) {
        try line.write(piece)
        sent.add(piece.count, ordering: .relaxed)
      }
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      try line.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
      #expect(stalls { sent.load(ordering: .relaxed) } < Self.bounded)
      _ = try line.head()
      try line.skip(Self.large)
    }
    #expect(sent.load(ordering: .relaxed) == Self.large)
  }

  @Test("an upload of 100 MB waits for an app that does not read, and arrives whole", arguments: [false, true])
  func upload(chunked: Bool) async throws {
    let sent = Atomic<Int>(0)
    let mayRead = Atomic<Bool>(false)
    let backend = try TestBackend { line, _ in
      _ = try line.head()
      while !mayRead.load(ordering: .acquiring) { usleep(1000) }
      if chunked {
        for _ in 0..<(Self.large >> 20) { try readChunks(line, total: 1 << 20) }
        _ = try line.exactly(5)
      } else {
        try line.skip(Self.large)
      }
      try line.write(ok("stored"))
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      let framing = chunked ? "Transfer-Encoding: chunked" : "Content-Length: \(Self.large)"
      try line.write("PUT / HTTP/1.1\r\nHost: hello.localhost\r\n\(framing)\r\n\r\n")
      startThread {
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        for _ in 0..<(Self.large >> 20) {
          // What fails here is seen at the other end, as missing bytes.
          try? line.write(chunked ? Array("100000\r\n".utf8) + piece + Array("\r\n".utf8) : piece)
          sent.add(piece.count, ordering: .relaxed)
        }
        if chunked { try? line.write("0\r\n\r\n") }
      }
      #expect(stalls { sent.load(ordering: .relaxed) } < Self.bounded)
      mayRead.store(true, ordering: .releasing)
      #expect(try line.message().text == "stored")
    }
  }

  @Test("an answer that comes before the upload's end reaches the client")
  func early() async throws {
    let backend = try TestBackend { line, _ in
      _ = try line.head()
      try line.write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      for _ in 0..<10 {
        let line = try router.connect()
        try line.write("POST / HTTP/1.1\r\nHost: hello.localhost\r\nContent-Length: \(8 << 20)\r\n\r\n")
        try? line.write([UInt8](repeating: 1, count: 8 << 20))  // may be cut short, the answer must still be there
        let response = try line.message()
        #expect(response.status == 413 && response.text == "big" && response.header("connection") == "close")
      }
    }
  }

  /// An end without a reset may be half a close (RFC 9112 section 9.6): such a client still gets its answer.
  @Test("a client that goes away ends its request at the app")
  func clientGone() async throws {
    let gone = Atomic<Bool>(false)
    let backend = try TestBackend { line, backend in
      backend.note(try line.message())
      _ = try line.toEnd()
      gone.store(true, ordering: .releasing)
    }
    let router = try await TestRouter([.live("hello", [backend.endpoint])])
    var line: Line? = try router.connect()
    try line?.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
    #expect(try await eventually { backend.requests.count == 1 })
    #expect(await router.inFlight() == 1)
    line?.reset()
    line = nil
    #expect(try await eventually { gone.load(ordering: .acquiring) })
    #expect(try await eventually { await router.inFlight() == 0 })
    try await router.stop()
  }

  @Test("a response that breaks off never looks complete", arguments: ["length", "chunked", "close", "reset"])
  func brokenOff(kind: String) async throws {
    let mayReset = Latch()
    let backend = try TestBackend { line, _ in
      _ = try line.message()
      switch kind {
      case "length": try line.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
      case "chunked", "close":
        try line.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
      default:
        try line.write("HTTP/1.1 200 OK\r\n\r\nhalf")
        mayReset.wait()
        line.reset()
      }
    }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      // An HTTP/1.0 client knows no chunks: only a reset can tell it.
      try line.write("GET / HTTP/1.\(kind == "close" ? 0 : 1)\r\nHost: hello.localhost\r\n\r\n")
      if kind == "reset" {
        line.arrival(of: "half")
        mayReset.open()
      }
      #expect(throws: LineError.self) { _ = try line.message() }
    }
  }

  @Test("a WebSocket becomes a tunnel, with the bytes that came early, until both sides have ended")
  func tunnel() async throws {
    let backend = try TestBackend { line, backend in
      let request = try line.head()
      backend.note(request)
      try line.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome")
      while let byte = try? line.exactly(1) { try line.write(byte) }  // the end of the input ends the echo
      try line.write("goodbye")
    }
    let router = try await TestRouter([.live("hello", [backend.endpoint])])
    let line = try router.connect()
    try await blocking {
      try line.write(
        "GET /ws HTTP/1.1\r\nHost: hello.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
          + "Sec-WebSocket-Key: x\r\n\r\nearly")
      let head = try line.head()
      #expect(head.status == 101 && head.header("upgrade") == "websocket" && head.header("connection") == "Upgrade")
      #expect(String(decoding: try line.exactly(12), as: UTF8.self) == "welcomeearly")
      try line.write("ping")
      #expect(String(decoding: try line.exactly(4), as: UTF8.self) == "ping")
    }
    #expect(await router.inFlight() == 1)
    try await blocking {
      line.endOutput()
      let rest = try line.toEnd()
      #expect(String(decoding: rest, as: UTF8.self) == "goodbye")
    }
    #expect(backend.requests.first?.header("upgrade") == "websocket")
    #expect(try await eventually { await router.inFlight() == 0 })
    try await router.stop()
  }

  @Test("an app that declines an upgrade answers as usual, and h2c never passes")
  func declinedUpgrade() async throws {
    let backend = try TestBackend { ok($0.header("upgrade") ?? "none") }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      for (wanted, passed) in [("websocket", "websocket"), ("h2c", "none")] {
        let response = try router.connect().ask(
          "GET", host: "hello.localhost", headers: "Connection: Upgrade\r\nUpgrade: \(wanted)\r\n")
        #expect(response.text == passed)
      }
    }
  }
}

/// Chunks of any size until they add up to `total`.
private func readChunks(_ line: Line, total: Int) throws {
  var left = total
  while left > 0 {
    var digits: [UInt8] = []
    while digits.suffix(2) != [13, 10] { digits += try line.exactly(1) }
    guard let size = Int(String(decoding: digits.dropLast(2), as: UTF8.self), radix: 16), size > 0 else {
      throw LineError.truncated
    }
    try line.skip(size)
    _ = try line.exactly(2)
    left -= size
  }
}

/// Waits until a number that grows has not moved for 300 ms; returns it. A machine that stalls makes it too small, never
/// too large.
func stalls(_ number: () -> Int) -> Int {
  var last = 0
  var still = 0
  let deadline = ContinuousClock.now + .seconds(60)
  while still < 30, ContinuousClock.now < deadline {
    usleep(10_000)
    let now = number()
    still = now > 0 && now == last ? still + 1 : 0
    last = now
  }
  return last
}
