import Glibc
import Testing

@testable import GitReceiver

@Suite("Who may connect")
struct SSHConnectionLimitsTests {
  private let now = ContinuousClock.now

  private func limits(_ change: (inout SSHLimits) -> Void) -> ConnectionLimits {
    var limits = SSHLimits()
    change(&limits)
    return ConnectionLimits(limits)
  }

  @Test("one source cannot keep the others out")
  func perSource() {
    var limits = limits { $0.unauthenticatedPerSource = 3 }
    for _ in 0..<3 { #expect(limits.admit("a", at: now) == nil) }
    #expect(limits.admit("a", at: now) == .source)
    #expect(limits.admit("b", at: now) == nil)
  }

  @Test("a login makes room for the next connection of its source")
  func login() {
    var limits = limits { ($0.unauthenticatedPerSource, $0.sessions) = (1, 2) }
    #expect(limits.admit("a", at: now) == nil)
    #expect(limits.loggedIn("a", key: "k") == true)
    #expect(limits.admit("a", at: now) == nil)
    #expect(limits.admit("b", at: now) == .total)
    limits.ended("a", key: "k", failed: false, at: now)
    limits.ended("a", key: nil, failed: false, at: now)
    #expect(limits.admit("a", at: now) == nil)
  }

  @Test("all sources together have a limit while they log in")
  func unauthenticated() {
    var limits = limits { $0.unauthenticated = 2 }
    #expect(limits.admit("a", at: now) == nil)
    #expect(limits.admit("b", at: now) == nil)
    #expect(limits.admit("c", at: now) == .unauthenticated)
    limits.ended("a", key: nil, failed: false, at: now)
    #expect(limits.admit("c", at: now) == nil)
  }

  @Test("the source with most waiting connections gives way, with its oldest")
  func givesWay() {
    func waiting(_ sources: String) -> [ConnectionLimits.Waiting] {
      sources.enumerated().map { ConnectionLimits.Waiting(id: $0.offset + 1, source: String($0.element)) }
    }
    #expect(ConnectionLimits.givesWay([]) == nil)
    #expect(ConnectionLimits.givesWay(waiting("abbc")) == 2)
    #expect(ConnectionLimits.givesWay(waiting("abbaca").reversed()) == 1)
    #expect(ConnectionLimits.givesWay(waiting("cabab")) == 2)
    #expect(ConnectionLimits.givesWay(waiting("abc")) == 1)
  }

  @Test("what has given way is in nobody's way, and counts as a connection until it is over")
  func gaveWay() {
    var limits = limits { ($0.unauthenticated, $0.sessions) = (1, 2) }
    #expect(limits.admit("a", at: now) == nil)
    #expect(limits.admit("b", at: now) == .unauthenticated)
    limits.gaveWay("a")
    #expect(limits.admit("b", at: now) == nil)
    #expect(limits.admit("c", at: now) == .total)
    limits.endedAfterGivingWay()
    limits.ended("b", key: nil, failed: false, at: now)
    #expect(limits.admit("c", at: now) == nil)
  }

  @Test("one key has a limit of its own, and what it may not have still counts as waiting")
  func perKey() {
    var limits = limits { ($0.sessionsPerKey, $0.unauthenticatedPerSource) = (1, 1) }
    #expect(limits.admit("a", at: now) == nil)
    #expect(limits.loggedIn("a", key: "k") == true)
    #expect(limits.admit("a", at: now) == nil)
    #expect(limits.loggedIn("a", key: "k") == false)
    #expect(limits.admit("a", at: now) == .source)
    limits.ended("a", key: nil, failed: false, at: now)
    limits.ended("a", key: "k", failed: false, at: now)
    #expect(limits.admit("a", at: now) == nil)
    #expect(limits.loggedIn("a", key: "k") == true)
  }

  @Test("connections that fail to log in earn a pause, silent ones and the successful do not")
  func pause() {
    var limits = limits { $0.backoff.free = 2 }
    func connection(failed: Bool) -> ConnectionLimits.Refusal? {
      if let refusal = limits.admit("a", at: now) { return refusal }
      limits.ended("a", key: nil, failed: failed, at: now)
      return nil
    }
    for _ in 0..<20 { #expect(connection(failed: false) == nil) }
    for _ in 0..<3 { #expect(connection(failed: true) == nil) }
    #expect(connection(failed: true) == .pause(.seconds(1)))
    #expect(limits.admit("b", at: now) == nil)
    #expect(limits.admit("a", at: now + .seconds(1)) == nil)
    #expect(limits.loggedIn("a", key: "k") == true)
    #expect(connection(failed: true) == nil)
    #expect(connection(failed: true) == nil)
  }

  @Test("an IPv6 /64 is one source, and a mapped IPv4 address is that address")
  func sources() {
    func v6(_ address: [UInt8]) -> PeerAddress {
      PeerAddress(family: AF_INET6, address: [UInt8](repeating: 0, count: 8) + address + [0, 0, 0, 0])
    }
    let prefix: [UInt8] = [0x20, 0x01, 0x0D, 0xB8, 0, 1, 0, 2]
    let one = v6(prefix + [0, 0, 0, 0, 0, 0, 0, 1])
    let two = v6(prefix + [9, 9, 9, 9, 9, 9, 9, 9])
    #expect(one.source == "2001:db8:1:2::/64")
    #expect(one.source == two.source)
    #expect(one.description == "2001:db8:1:2:0:0:0:1")
    #expect(v6([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 10, 0, 0, 7]).source == "10.0.0.7")
    #expect(PeerAddress(family: AF_UNIX, address: []).source == "unknown")
  }
}
