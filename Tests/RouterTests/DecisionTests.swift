import NIOHTTP1
import Platform
import Testing
import Wire

@testable import Router

@Suite("Decisions without sockets")
struct DecisionTests {
  @Test("hosts are compared without port, trailing dot and case; what is no host is none")
  func hosts() {
    #expect(HostName.normalized("Hello.LOCALHOST.:8080") == "hello.localhost")
    #expect(HostName.normalized("127.0.0.1:80") == "127.0.0.1")
    #expect(HostName.normalized("[::1]:80") == "[::1]")
    for bad in ["", ":80", "a b", "a:80x", "a/b", "[::1", "a@b", "[]", "h\u{e9}", "a:123456", "."] {
      #expect(HostName.normalized(bad) == nil, "\(bad)")
    }
  }

  @Test("the instance with the fewest requests is next, and equals take turns")
  func balancing() {
    #expect(Balancer.leastLoaded([3, 1, 2], turn: 0) == 1)
    #expect((0..<3).map { Balancer.leastLoaded([0, 0, 0], turn: $0) } == [0, 1, 2])
    #expect(Balancer.leastLoaded([3, 1, 2], turn: 0) { $0 == 1 } == 2)
    #expect(Balancer.leastLoaded([], turn: 5) == nil)
    #expect(Balancer.leastLoaded([1], turn: 0) { _ in true } == nil)
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

  private func plan(_ method: HTTPMethod, _ headers: HTTPHeaders = [:]) throws -> RequestPlan {
    var headers = headers
    headers.add(name: "Host", value: "hello.localhost")
    let head = HTTPRequestHead(version: .http1_1, method: method, uri: "/", headers: headers)
    return try RequestPlan(head, from: RequestOrigin(client: "10.0.0.1", port: 80), at: .now)
  }

  @Test("only a request without a body whose method is idempotent may be sent again")
  func mayResend() throws {
    for method in [HTTPMethod.GET, .HEAD, .OPTIONS, .PUT, .DELETE] { #expect(try plan(method).mayResend) }
    for method in [HTTPMethod.POST, .PATCH, .RAW(value: "BREW")] { #expect(try !plan(method).mayResend) }
    #expect(try !plan(.PUT, ["Content-Length": "3"]).mayResend)
    #expect(try plan(.PUT, ["Content-Length": "0"]).mayResend)
    #expect(try !plan(.GET, ["Connection": "Upgrade", "Upgrade": "websocket"]).mayResend)
  }

  @Test("a Connection header cannot take away what routing and framing stand on")
  func connectionHeader() throws {
    let plan = try plan(.POST, ["Connection": "Host, Content-Length, X-Forwarded-For", "Content-Length": "3"])
    #expect(plan.head.headers["content-length"] == ["3"])
    #expect(plan.head.headers["host"] == ["hello.localhost"])
    #expect(plan.head.headers["x-forwarded-for"] == ["10.0.0.1"])
  }

  @Test("a response is framed for its client, and its connection is kept only when its end was certain")
  func responses() throws {
    let request = try plan(.GET)
    func response(_ headers: HTTPHeaders, mustClose: Bool = false) throws -> ResponsePlan {
      try ResponsePlan(
        HTTPResponseHead(version: .http1_1, status: .ok, headers: headers), to: request, mustClose: mustClose)
    }
    let counted = try response(["Content-Length": "3"])
    #expect(counted.ending == .counted && counted.keepsUpstream && !counted.closesClient)
    let open = try response([:])
    #expect(open.ending == .chunked && !open.keepsUpstream && open.head.headers["transfer-encoding"] == ["chunked"])
    #expect(try response(["Content-Length": "3"], mustClose: true).head.headers["connection"] == ["close"])
    #expect(throws: BadResponse.self) { try response(["Transfer-Encoding": "gzip, chunked"]) }
  }
}
