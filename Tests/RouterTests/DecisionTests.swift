import NIOCore
import Platform
import Testing
import Wire

@testable import Router

/// A head that was parsed, with the bytes it came from.
struct ParsedRequest {
  let text: String
  let outcome: RequestParser.Outcome
  let head: RequestHead

  init(_ text: String) {
    self.text = text
    let bytes = Array(text.utf8)
    let head = RequestHead()
    outcome = RequestParser.parse(bytes.span.bytes, limits: HeadLimits(), into: head)
    self.head = head
  }

  var mayResend: Bool {
    let bytes = Array(text.utf8)
    return head.mayResend(bytes.span.bytes)
  }

  /// As the instance would get it.
  func written(_ origin: RequestOrigin = RequestOrigin(address: Array("10.0.0.1".utf8), port: 80)) -> [String] {
    let bytes = Array(text.utf8)
    let writer = RequestWriter(
      origin: origin, now: 1000, random: (1, 2), upgrades: head.flags.contains(.mayUpgrade))
    var memory = [UInt8](repeating: 0, count: RequestWriter.bound(head, origin: origin))
    let count = memory.withUnsafeMutableBytes { memory in
      var out = ByteWriter(memory)
      _ = writer.write(head, bytes.span.bytes, to: &out)
      return out.overflowed ? -1 : out.count
    }
    guard count >= 0 else { return [] }
    return String(decoding: memory[..<count], as: UTF8.self).components("\r\n")
  }
}

extension String {
  func components(_ separator: String) -> [String] {
    var result: [String] = []
    var piece: [UInt8] = []
    let end = Array(separator.utf8)
    for byte in utf8 {
      piece.append(byte)
      if piece.suffix(end.count) == end[...] {
        result.append(String(decoding: piece.dropLast(end.count), as: UTF8.self))
        piece = []
      }
    }
    return result
  }
}

func request(_ method: String, _ fields: String = "") -> ParsedRequest {
  ParsedRequest("\(method) / HTTP/1.1\r\nHost: hello.localhost\r\n\(fields)\r\n")
}

@Suite("Decisions without sockets")
struct DecisionTests {
  @Test("hosts are compared without port, trailing dot and case; what is no host is none")
  func hosts() {
    #expect(HostName("Hello.LOCALHOST.:8080")?.text == "hello.localhost")
    #expect(HostName("127.0.0.1:80")?.text == "127.0.0.1")
    #expect(HostName("[::1]:80")?.text == "[::1]")
    for bad in ["", ":80", "a b", "a:80x", "a/b", "[::1", "a@b", "[]", "h\u{e9}", "a:123456", ".", "a..b", ".a"] {
      #expect(HostName(bad) == nil, "\(bad)")
    }
    #expect(HostName(String(repeating: "a", count: 300)) == nil)
  }

  @Test("the instance with the fewest requests is next, and equals take turns")
  func balancing() {
    func least(_ loads: [Int?], turn: Int) -> Int? { Balancer.leastLoaded(loads.count, turn: turn) { loads[$0] } }
    #expect(least([3, 1, 2], turn: 0) == 1)
    #expect((0..<3).map { least([0, 0, 0], turn: $0) } == [0, 1, 2])
    #expect(least([3, nil, 2], turn: 0) == 2)
    #expect(least([], turn: 5) == nil && least([nil], turn: 0) == nil)
    #expect((0..<4).map { turn in Balancer.next(3, turn: turn) { $0 == 1 ? nil : 9 } } == [0, 2, 2, 0])
  }

  @Test("an instance that fails three times in a row rests, longer each time, and one request tries it")
  func ejection() {
    var health = Ejection()
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
    health.failed(at: now)
    health.failed(at: now)
    #expect(!health.isEjected(at: now))
    health.failed(at: now)
    #expect(health.isEjected(at: now))
    now = now + Ejection.shortest
    let (first, second) = (health.mayTake(at: now), health.mayTake(at: now))
    #expect(first && !second)
    health.failed(at: now + Ejection.trial)
    #expect(health.isEjected(at: now + Ejection.trial + Ejection.shortest))
    #expect(!health.isEjected(at: now + Ejection.trial + Ejection.shortest + Ejection.shortest))
    health.succeeded()
    #expect(health == Ejection())
  }

  @Test("an unsent request is tried elsewhere, then again after a pause, until its time is over")
  func retries() {
    var policy = RetryPolicy(mayResend: false, hold: .seconds(2))
    #expect(policy.decide(.refused, elapsed: .seconds(1), othersLeft: true) == .tryAnother)
    #expect(policy.decide(.refused, elapsed: .seconds(1), othersLeft: false) == .wait(RetryPolicy.pause))
    #expect(policy.decide(.refused, elapsed: .seconds(2), othersLeft: true) == .tryAnother)
    #expect(policy.decide(.connectTimeout, elapsed: .seconds(3), othersLeft: true) == .giveUp(.connectTimeout))
    #expect(policy.decide(.refused, elapsed: .seconds(4), othersLeft: true) == .giveUp(.connectionRefused))
  }

  @Test("a sent request goes out again once, on a reused connection only, and only when that does no harm")
  func resends() {
    let lost = RetryPolicy.Failure.closedWithoutResponse(reused: true)
    var safe = RetryPolicy(mayResend: true, hold: .seconds(2))
    #expect(safe.decide(lost, elapsed: .zero, othersLeft: true) == .sendAgain)
    #expect(safe.decide(lost, elapsed: .zero, othersLeft: true) == .giveUp(.closedWithoutResponse))
    var fresh = RetryPolicy(mayResend: true, hold: .seconds(2))
    #expect(
      fresh.decide(.closedWithoutResponse(reused: false), elapsed: .zero, othersLeft: true)
        == .giveUp(.closedWithoutResponse))
    var post = RetryPolicy(mayResend: false, hold: .seconds(2))
    #expect(post.decide(lost, elapsed: .zero, othersLeft: true) == .giveUp(.closedWithoutResponse))
  }

  @Test("only a request without a body whose method is idempotent may be sent again")
  func mayResend() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] { #expect(request(method).mayResend) }
    for method in ["POST", "PATCH", "BREW"] { #expect(!request(method).mayResend) }
    #expect(!request("PUT", "Content-Length: 3\r\n").mayResend)
    #expect(request("PUT", "Content-Length: 0\r\n").mayResend)
    #expect(!request("GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n").mayResend)
  }

  @Test("a Connection header cannot take away what routing and framing stand on")
  func connectionHeader() {
    let lines = request(
      "POST",
      "Connection: Host, Content-Length, X-Forwarded-For, X-Gone\r\nX-Gone: 1\r\nX-Stays: 1\r\nContent-Length: 3\r\n"
    ).written()
    #expect(lines.contains("Content-Length: 3") && lines.contains("Host: hello.localhost"))
    #expect(lines.contains("X-Forwarded-For: 10.0.0.1") && lines.contains("X-Stays: 1"))
    #expect(!lines.contains("X-Gone: 1"))
  }

  @Test("a trusted proxy's word is kept and added to, anybody else's is overwritten")
  func trust() {
    let fields = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nForwarded: for=1.2.3.4\r\n"
    let plain = request("GET", fields).written()
    #expect(plain.contains("X-Forwarded-For: 10.0.0.1") && plain.contains("X-Forwarded-Proto: http"))
    #expect(!plain.contains { $0.contains("1.2.3.4") })
    let origin = RequestOrigin(address: Array("10.0.0.1".utf8), port: 80, isTrusted: true)
    let trusted = request("GET", fields).written(origin)
    #expect(trusted.contains("X-Forwarded-For: 1.2.3.4, 10.0.0.1") && trusted.contains("X-Forwarded-Proto: https"))
    #expect(
      trusted.contains("Forwarded: for=1.2.3.4, for=10.0.0.1;host=\"hello.localhost\";proto=http"))
  }

  @Test("a response is framed for its client, and its connection is kept only when its end was certain")
  func responses() {
    func plan(_ fields: String, _ status: Int = 200, mustClose: Bool = false, isOld: Bool = false) -> ResponsePlan? {
      let bytes = Array("HTTP/1.1 \(status) OK\r\n\(fields)\r\n".utf8)
      let head = ResponseHead()
      guard ResponseParser.parse(bytes.span.bytes, limits: HeadLimits(), into: head) == .complete else { return nil }
      return ResponsePlan(head, to: .init(isOld: isOld), mustClose: mustClose)
    }
    let counted = plan("Content-Length: 3\r\n")
    #expect(counted?.ending == .counted && counted?.keepsUpstream == true && counted?.closesClient == false)
    let open = plan("")
    #expect(open?.ending == .chunked && open?.keepsUpstream == false)
    #expect(plan("Content-Length: 3\r\n", mustClose: true)?.closesClient == true)
    #expect(plan("Transfer-Encoding: chunked\r\n", isOld: true)?.ending == .close)
    #expect(plan("", 204)?.keepsUpstream == true && plan("Content-Length: 0\r\n", 204)?.keepsUpstream == true)
    for doubtful in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
      #expect(plan(doubtful, 204)?.keepsUpstream == false, "content that nobody has asked for may follow")
    }
    for bad in [
      "Transfer-Encoding: gzip, chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: -3\r\n", "A: b\nC: d\r\n",
    ] { #expect(plan(bad) == nil, "\(bad)") }
  }
}
