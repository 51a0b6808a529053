import Glibc
import Platform
import Testing

@testable import GitReceiver

@Suite("Pauses after failed logins")
struct SSHBackoffTests {
  private let start = ContinuousClock.now

  @Test("the first failures are free, then each pause is twice as long, up to the longest")
  func grows() {
    var backoff = LoginBackoff(.init())
    for _ in 0..<10 { backoff.failed("a", at: start) }
    #expect(backoff.pause(of: "a", at: start) == nil)
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300, 300] {
      backoff.failed("a", at: start)
      #expect(backoff.pause(of: "a", at: start) == .seconds(expected))
      #expect(backoff.pause(of: "a", at: start + .seconds(expected)) == nil)
    }
    #expect(backoff.pause(of: "b", at: start) == nil)
  }

  @Test("one failure is forgiven every half minute, so a slow trickle never pays")
  func decays() {
    var backoff = LoginBackoff(.init())
    for number in 0..<1000 {
      backoff.failed("a", at: start + .seconds(30) * number)
      #expect(backoff.pause(of: "a", at: start + .seconds(30) * number) == nil)
    }
    for _ in 0..<15 { backoff.failed("b", at: start) }
    let later = start + .seconds(300)
    for _ in 0..<5 { backoff.failed("b", at: later) }
    #expect(backoff.pause(of: "b", at: later) == nil)
    backoff.failed("b", at: later)
    #expect(backoff.pause(of: "b", at: later) == .seconds(1))
  }

  @Test("a flood of failures is forgiven in bounded time")
  func bounded() {
    var backoff = LoginBackoff(.init())
    for _ in 0..<100_000 { backoff.failed("a", at: start) }
    let later = start + .seconds(30) * 22
    #expect(backoff.pause(of: "a", at: later) == nil)
    for _ in 0..<10 { backoff.failed("a", at: later) }
    #expect(backoff.pause(of: "a", at: later) == nil)
  }

  @Test("a good login clears its address: others behind it are welcome at once")
  func succeeded() {
    var backoff = LoginBackoff(.init())
    for _ in 0..<15 { backoff.failed("office", at: start) }
    #expect(backoff.pause(of: "office", at: start) != nil)
    backoff.succeeded("office")
    #expect(backoff.pause(of: "office", at: start) == nil)
    #expect(backoff.count == 0)
  }

  @Test("loopback never waits, unless that is asked for", arguments: ["127.0.0.1", "127.9.9.9", "0:0:0:0::/64"])
  func loopback(_ source: String) {
    var backoff = LoginBackoff(.init())
    for _ in 0..<100 { backoff.failed(source, at: start) }
    #expect(backoff.pause(of: source, at: start) == nil)
    #expect(backoff.count == 0)
    var strict = LoginBackoff(.init(sparesLoopback: false))
    for _ in 0..<100 { strict.failed(source, at: start) }
    #expect(strict.pause(of: source, at: start) == .seconds(300))
  }

  @Test("the source of ::1 is the one that is spared")
  func loopbackSource() {
    let address = [UInt8](repeating: 0, count: 8) + [UInt8](repeating: 0, count: 15) + [1, 0, 0, 0, 0]
    #expect(PeerAddress(family: AF_INET6, address: address).source == "0:0:0:0::/64")
  }

  @Test("the table is bounded, and the worst are remembered longest")
  func table() {
    var backoff = LoginBackoff(.init(sources: 100))
    for _ in 0..<15 { backoff.failed("worst", at: start) }
    for number in 0..<1000 { backoff.failed("n\(number)", at: start) }
    #expect(backoff.count == 100)
    #expect(backoff.pause(of: "worst", at: start) != nil)
    backoff.failed("later", at: start + .seconds(3600))
    #expect(backoff.count == 1)
  }

  @Test("no longest pause, no pauses")
  func off() {
    var backoff = LoginBackoff(.init(longest: .zero))
    for _ in 0..<100 { backoff.failed("a", at: start) }
    #expect(backoff.pause(of: "a", at: start) == nil)
  }
}

@Suite("Settings of the SSH server")
struct SSHLimitsTests {
  @Test("settings are read from the environment, and all else stays at its default")
  func read() throws {
    let limits = try SSHLimits(environment: [
      "PAAS_SSH_LOGIN_SECONDS": "7", "PAAS_SSH_BACKOFF_LOOPBACK": "1", "PAAS_SSH": ":2222", "PATH": "/bin",
    ])
    var expected = SSHLimits()
    expected.loginTime = .seconds(7)
    expected.backoff.sparesLoopback = false
    #expect(limits == expected)
    #expect(try SSHLimits(environment: [:]) == SSHLimits())
  }

  @Test(
    "what is no number in its range is refused, and so is what nobody reads",
    arguments: [
      ("LOGIN_SECONDS", "", "PAAS_SSH_LOGIN_SECONDS is '', not a number from 1 to 3600"),
      ("LOGIN_SECONDS", "0", "PAAS_SSH_LOGIN_SECONDS is '0', not a number from 1 to 3600"),
      ("SESSIONS", "-1", "PAAS_SSH_SESSIONS is '-1', not a number from 1 to 100000"),
      ("SESSIONS", "1e3", "PAAS_SSH_SESSIONS is '1e3', not a number from 1 to 100000"),
      (
        "SESSIONS", "99999999999999999999", "PAAS_SSH_SESSIONS is '99999999999999999999', not a number from 1 to 100000"
      ),
      ("SESION", "1", "'PAAS_SSH_SESION' is no setting of the SSH server"),
    ])
  func refused(_ name: String, _ value: String, _ message: String) {
    let error = #expect(throws: SettingError.self) { try SSHLimits(environment: ["PAAS_SSH_\(name)": value]) }
    #expect(error?.message == message)
  }
}
