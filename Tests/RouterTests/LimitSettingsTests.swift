import Glibc
import Platform
import Testing
import Wire

@testable import Router

@Suite("Settings of the router's limits")
struct LimitSettingsTests {
  /// Every variable, with a number that no other has, and what it sets.
  private static let all: [(name: String, value: Int, set: @Sendable (inout RouterLimits) -> Void)] = [
    ("HEAD_BYTES", 5001, { $0.headBytes = 5001 }),
    ("HEAD_FIELDS", 52, { $0.headFields = 52 }),
    ("TARGET_BYTES", 503, { $0.targetBytes = 503 }),
    ("BODY_BYTES", 54, { $0.bodyBytes = 54 }),
    ("HEAD_SECONDS", 5, { $0.head = .seconds(5) }),
    ("BODY_SECONDS", 6, { $0.body = .seconds(6) }),
    ("KEEP_ALIVE_SECONDS", 7, { $0.keepAlive = .seconds(7) }),
    ("FIRST_BYTE_SECONDS", 8, { $0.firstByte = .seconds(8) }),
    ("IDLE_SECONDS", 9, { $0.idle = .seconds(9) }),
    ("CONNECT_SECONDS", 10, { $0.connect = .seconds(10) }),
    ("HOLD_SECONDS", 11, { $0.hold = .seconds(11) }),
    ("BOOT_SECONDS", 12, { $0.boot = .seconds(12) }),
    ("DRAIN_SECONDS", 13, { $0.drain = .seconds(13) }),
    ("CONNECTIONS", 514, { $0.connections = 514 }),
    ("CONNECTIONS_PER_SOURCE", 515, { $0.connectionsPerAddress = 515 }),
    ("QUEUE", 516, { $0.queue = 516 }),
    ("UPSTREAM_CONNECTIONS", 517, { $0.upstreamConnections = 517 }),
    ("UPSTREAM_IDLE_SECONDS", 18, { $0.upstreamIdle = .seconds(18) }),
    ("LOG_BYTES", 70_000, { $0.logBytes = 70_000 }),
  ]

  private static func limits(_ choose: (RouterLimits.Setting) -> Int) throws -> RouterLimits {
    try RouterLimits(
      environment: Dictionary(
        uniqueKeysWithValues: RouterLimits.settings.map { (RouterLimits.prefix + $0.key, "\(choose($0.value))") }))
  }

  @Test("every setting is read, sets what it is named after and nothing else")
  func read() throws {
    #expect(Set(Self.all.map(\.name)) == Set(RouterLimits.settings.keys))
    for (name, value, set) in Self.all {
      let limits = try RouterLimits(environment: ["PAAS_ROUTER_\(name)": "\(value)", "PATH": "/bin", "PAAS_HTTP": ":1"])
      var expected = RouterLimits()
      set(&expected)
      #expect(limits == expected && limits != RouterLimits(), "\(name)")
      #expect(limits.changes == "\(name)=\(value)")
    }
    #expect(try RouterLimits(environment: ["PAAS_SSH_SESSIONS": "1"]) == RouterLimits())
  }

  @Test("limits that are the same have the same text, however they were written")
  func changes() throws {
    let standard = try RouterLimits(environment: ["PAAS_ROUTER_DRAIN_SECONDS": "30", "PAAS_ROUTER_QUEUE": "8192"])
    #expect(standard.changes.isEmpty)
    let padded = try RouterLimits(environment: ["PAAS_ROUTER_QUEUE": "007", "PAAS_ROUTER_BOOT_SECONDS": "1"])
    #expect(padded.changes == "BOOT_SECONDS=1 QUEUE=7")
  }

  @Test("defaults lie in their ranges, and what lies outside is refused with the variable's name")
  func ranges() throws {
    for (name, setting) in RouterLimits.settings {
      if let value = setting.get(RouterLimits()) { #expect(setting.range.contains(value), "\(name)") }
      for bad in [setting.range.lowerBound - 1, setting.range.upperBound + 1] {
        let error = #expect(throws: SettingError.self) {
          try RouterLimits(environment: ["PAAS_ROUTER_\(name)": "\(bad)"])
        }
        #expect(error?.message.hasPrefix("PAAS_ROUTER_\(name) is '\(bad)', not a number from ") == true)
      }
    }
  }

  @Test(
    "what is no whole number is refused, and so is what nobody reads",
    arguments: [
      ("QUEUE", "", "PAAS_ROUTER_QUEUE is '', not a number from 1 to 100000"),
      ("QUEUE", "-1", "PAAS_ROUTER_QUEUE is '-1', not a number from 1 to 100000"),
      ("QUEUE", "1e3", "PAAS_ROUTER_QUEUE is '1e3', not a number from 1 to 100000"),
      ("QUEUE", " 5", "PAAS_ROUTER_QUEUE is ' 5', not a number from 1 to 100000"),
      ("DRAIN_SECONDS", "30s", "PAAS_ROUTER_DRAIN_SECONDS is '30s', not a number from 1 to 600"),
      (
        "HEAD_BYTES", "99999999999999999999",
        "PAAS_ROUTER_HEAD_BYTES is '99999999999999999999', not a number from 4096 to 1048576"
      ),
      ("QEUE", "5", "'PAAS_ROUTER_QEUE' is no setting of the router"),
      ("", "5", "'PAAS_ROUTER_' is no setting of the router"),
    ])
  func refused(_ name: String, _ value: String, _ message: String) {
    let error = #expect(throws: SettingError.self) { try RouterLimits(environment: ["PAAS_ROUTER_\(name)": value]) }
    #expect(error?.message == message && error?.nextStep?.isEmpty == false)
  }

  @Test("a router with every setting at its lowest serves, and refuses what is over its sizes")
  func lowest() async throws {
    let limits = try Self.limits(\.range.lowerBound)
    let backend = try TestBackend { _ in ok("up") }
    try await withRouter([try RoutedApp.live("hello", [backend.endpoint])], limits: limits) { router in
      for _ in 0..<3 { #expect(try Self.ask(router, path: "/" + long(200)).text == "up") }
      #expect(try Self.ask(router, path: "/" + long(256)).status == 414)
      #expect(try Self.ask(router, headers: (0..<16).map { "A\($0): b\r\n" }.joined()).status == 431)
      #expect(try Self.ask(router, headers: (0..<4).map { "A\($0): \(long(1020))\r\n" }.joined()).status == 431)
      // One source has one connection at a time.
      let line = try Self.connected(router)
      #expect(throws: LineError.self) { try router.connect().ask("GET", host: "hello.localhost") }
      #expect(try line.ask("GET", host: "hello.localhost").text == "up")
    }
  }

  /// A connection that has served a request. One at a time is allowed, and the router may not have noticed yet that the
  /// last one has ended.
  private static func connected(_ router: TestRouter) throws -> Line {
    let deadline = ContinuousClock.now + .seconds(20)
    while true {
      let line = try router.connect()
      do {
        _ = try line.ask("GET", host: "hello.localhost")
        return line
      } catch let error as LineError {
        guard ContinuousClock.now < deadline else { throw error }
        _ = poll(nil, 0, 5)
      }
    }
  }

  private static func ask(_ router: TestRouter, path: String = "/", headers: String = "") throws -> Message {
    try connected(router).ask("GET", host: "hello.localhost", path: path, headers: headers)
  }

  @Test("a router with every setting at its highest serves, heads of nearly 1 MiB in both directions")
  func highest() async throws {
    let limits = try Self.limits(\.range.upperBound)
    let backend = try TestBackend { request in
      "HTTP/1.1 200 OK\r\nA: \(request.header("a") ?? "")\r\nB: \(request.target)\r\nContent-Length: 2\r\n\r\nup"
    }
    try await withRouter([try RoutedApp.live("hello", [backend.endpoint])], limits: limits) { router in
      let answer = try router.connect().ask(
        "GET", host: "hello.localhost", path: "/" + long(450_000), headers: "A: \(long(500_000))\r\n")
      #expect(answer.status == 200 && answer.text == "up")
      #expect(answer.header("a")?.utf8.count == 500_000 && answer.header("b")?.utf8.count == 450_001)
      let over = try router.connect().ask("GET", host: "hello.localhost", headers: "A: \(long(1 << 20))\r\n")
      #expect(over.status == 431)
    }
  }

  @Test("a target has room in a head, whatever its own limit says")
  func targetInHead() async throws {
    let limits = try RouterLimits(
      environment: ["PAAS_ROUTER_HEAD_BYTES": "4096", "PAAS_ROUTER_TARGET_BYTES": "100000"])
    try await withRouter([], limits: limits) { router in
      let line = try router.connect()
      try line.write("GET /\(long(5000))")
      // Which of the two limits it is depends on the pieces in which it comes.
      let status = try line.message().status
      #expect(status == 414 || status == 431)
    }
  }

  private func long(_ count: Int) -> String { String(repeating: "x", count: count) }
}
