import Glibc
import Testing

@testable import GitReceiver

@Suite("Who may connect")
struct SSHConnectionLimitsTests {
  @Test("one source cannot keep the others out")
  func perSource() {
    var limits = ConnectionLimits(.init(unauthenticated: 10, unauthenticatedPerSource: 3, total: 100))
    for _ in 0..<3 { #expect(limits.admit("a") == nil) }
    #expect(limits.admit("a") == .source)
    #expect(limits.admit("b") == nil)
  }

  @Test("a login makes room for the next connection of its source")
  func login() {
    var limits = ConnectionLimits(.init(unauthenticated: 10, unauthenticatedPerSource: 1, total: 2))
    #expect(limits.admit("a") == nil)
    limits.loggedIn("a")
    #expect(limits.admit("a") == nil)
    #expect(limits.admit("b") == .total)
    limits.ended("a", loggedIn: true)
    limits.ended("a", loggedIn: false)
    #expect(limits.admit("a") == nil)
  }

  @Test("all sources together have a limit while they log in")
  func unauthenticated() {
    var limits = ConnectionLimits(.init(unauthenticated: 2, unauthenticatedPerSource: 2, total: 100))
    #expect(limits.admit("a") == nil)
    #expect(limits.admit("b") == nil)
    #expect(limits.admit("c") == .unauthenticated)
    limits.ended("a", loggedIn: false)
    #expect(limits.admit("c") == nil)
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
