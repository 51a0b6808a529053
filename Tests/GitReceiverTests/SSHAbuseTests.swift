import Glibc
import Linux
import Testing

@testable import GitReceiver

/// Clients that mean no good, or know no better. After each of them the server must serve the next one.
@Suite("SSH clients that misbehave")
struct SSHAbuseTests {
  private func harness(_ settings: [String: Int] = [:]) async throws -> SSHHarness {
    var environment: [String: String] = [:]
    for (name, value) in settings { environment["PAAS_SSH_\(name)"] = "\(value)" }
    return try await SSHHarness(limits: try SSHLimits(environment: environment))
  }

  private func expectHealthy(_ harness: SSHHarness) async throws {
    var ended = try await harness.ssh("ps")
    // Some of these servers are in a hurry, and on a loaded machine an honest client may be too slow for them too.
    for _ in 0..<50 where ended.status == 255 { ended = try await harness.ssh("ps") }
    #expect(ended.status == 7, "\(ended.errors)")
    #expect(await eventually { harness.server.connectionCount == 0 })
  }

  @Test("a banner without end is cut off long before it fills memory")
  func endlessBanner() async throws {
    let harness = try await harness()
    let client = try RawClient(harness.port)
    let piece = [UInt8](repeating: UInt8(ascii: "A"), count: 1 << 20)
    var sent = 0
    while sent < 64, await client.send(piece) { sent += 1 }
    #expect(sent < 64)
    try await expectHealthy(harness)
  }

  @Test("lines without end before the banner are cut off")
  func endlessLines() async throws {
    let harness = try await harness(["KEY_EXCHANGE_SECONDS": 2])
    let client = try RawClient(harness.port)
    let piece = Array(String(repeating: "hello there\r\n", count: 5000).utf8)
    var sent = 0
    while sent < 1000, await client.send(piece) { sent += 1 }
    #expect(sent < 1000)
    try await expectHealthy(harness)
  }

  @Test("a key exchange that takes too long ends, however busy the client looks")
  func slowKeyExchange() async throws {
    let harness = try await harness(["KEY_EXCHANGE_SECONDS": 1])
    let client = try RawClient(harness.port)
    await client.send("SSH-2.0-slow\r\n")
    async let end = client.readToEnd()
    var sent = 0
    while sent < 2000, await client.send([0]) {
      sent += 1
      await blocking { _ = poll(nil, 0, 50) }  // the pace of the attack
    }
    #expect(sent < 2000)
    #expect(await end != nil)
    try await expectHealthy(harness)
  }

  @Test(
    "packets with impossible lengths end the connection",
    arguments: [[0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF], [0, 4, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]]
      as [[UInt8]])
  func hugePackets(_ length: [UInt8]) async throws {
    let harness = try await harness(["KEY_EXCHANGE_SECONDS": 3])
    let client = try RawClient(harness.port)
    await client.send("SSH-2.0-x\r\n")
    await client.send(length + [UInt8](repeating: 20, count: 1 << 20))
    #expect(await client.readToEnd() != nil)
    try await expectHealthy(harness)
  }

  @Test(
    "a packet out of its turn ends the connection",
    arguments: [
      50,  // USERAUTH_REQUEST before any key exchange
      90,  // CHANNEL_OPEN
      94,  // CHANNEL_DATA
      21,  // NEWKEYS
      30,  // ECDH_INIT before KEXINIT
      52,  // USERAUTH_SUCCESS, which only a server says
    ] as [UInt8])
  func outOfTurn(_ type: UInt8) async throws {
    let harness = try await harness(["KEY_EXCHANGE_SECONDS": 3])
    let client = try RawClient(harness.port)
    await client.send("SSH-2.0-x\r\n")
    let payload = [type] + [UInt8](repeating: 0, count: 18)
    await client.send([0, 0, 0, 28, 8] + payload + [UInt8](repeating: 0, count: 8))
    #expect(await client.readToEnd() != nil)
    #expect(harness.stub.requests.isEmpty)
    try await expectHealthy(harness)
  }

  @Test("300 silent connections from one address keep nobody else out")
  func flood() async throws {
    let harness = try await harness()
    let flood = try (0..<300).map { _ in try RawClient(harness.port) }
    for _ in 0..<5 {
      let ended = try await harness.ssh("ps", options: ["-b", "127.0.0.2"])
      #expect(ended.status == 7, "\(ended.errors)")
    }
    #expect(harness.server.connectionCount <= 17)
    withExtendedLifetime(flood) {}
  }

  @Test("a few addresses that take all places of those who log in keep nobody else out")
  func floodFromSome() async throws {
    let harness = try await harness(["UNAUTHENTICATED": 12, "UNAUTHENTICATED_PER_SOURCE": 4])
    let flood = try (0..<12).map { try RawClient(harness.port, from: 0x7F00_0010 + UInt32($0 / 4)) }
    #expect(await eventually { harness.server.connectionCount == 12 })
    for _ in 0..<3 {
      let ended = try await harness.ssh("ps", options: ["-b", "127.0.0.2"])
      #expect(ended.status == 7, "\(ended.errors)")
    }
    let first = try #require(flood.first)
    #expect(await first.readToEnd(seconds: 5) != nil)
    withExtendedLifetime(flood) {}
  }

  @Test("logins that fail again and again have to wait; a good login from there makes up for them")
  func backoff() async throws {
    let harness = try await harness(["BACKOFF_AFTER": 2, "BACKOFF_LOOPBACK": 1, "BACKOFF_SECONDS": 60])
    let from = ["-b", "127.0.0.7", "-v"]
    for _ in 0..<2 { _ = try await harness.ssh("ps", key: harness.unknownKey, options: from) }
    #expect(await eventually { harness.server.connectionCount == 0 })
    #expect(try await harness.ssh("ps", options: from).status == 7)  // two are free, and this clears them
    var refused = try await harness.ssh("ps", key: harness.unknownKey, options: from)
    for _ in 0..<40 where !refused.errors.contains("too many failed logins") {
      refused = try await harness.ssh("ps", key: harness.unknownKey, options: from)
    }
    #expect(refused.status == 255)
    #expect(refused.errors.contains("too many failed logins from your address; try again in"), "\(refused.errors)")
    #expect(try await harness.ssh("ps", options: ["-b", "127.0.0.8"]).status == 7)
  }

  @Test("as many connections with one key as are allowed, and the next one is told why not")
  func perKey() async throws {
    let harness = try await harness(["SESSIONS_PER_KEY": 1])
    async let first = harness.ssh("logs")
    defer { harness.server.stop() }  // ends the first, however this ends
    // Not before it is logged in: on a loaded machine the second could overtake it.
    #expect(await eventually { harness.stub.requests.contains { $0.path == "/receiver/sessions" } })
    var second = Ended(status: 0, output: [], errors: "")
    for _ in 0..<50 where second.status != 255 {
      second = try await harness.ssh("ps", options: ["-o", "LogLevel=INFO"])
    }
    #expect(second.status == 255)
    #expect(second.errors.contains("too many connections with this key"), "\(second.errors)")
    harness.server.stop()
    _ = try await first
  }

  @Test("a client that opens no channel is told goodbye after the idle time")
  func idle() async throws {
    let harness = try await harness(["IDLE_SECONDS": 1])
    let ended = try await harness.ssh(options: ["-N"])
    #expect(ended.status == 255)
    #expect(await eventually { harness.server.connectionCount == 0 })
  }

  @Test("connections that break off at any point leave no connection behind")
  func aborted() async throws {
    let harness = try await harness()
    for number in 0..<60 {
      let client = try RawClient(harness.port)
      switch number % 4 {
      case 0: break
      case 1: await client.send("SSH-2.0-x\r\n")
      case 2: await client.send("SSH-2.0-x\r\n\0\0\u{1}\u{4}")
      default: await client.send("no ssh at all\n")
      }
      if number % 16 == 15 { #expect(await eventually { harness.server.connectionCount < 4 }) }
    }
    try await expectHealthy(harness)
  }
}
