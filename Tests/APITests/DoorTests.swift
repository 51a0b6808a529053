import API
import Client
import Glibc
import Linux
import Platform
import Testing
import Wire

@Suite("The four doors")
struct DoorTests {
  private func id(of error: (any Error)?) -> String? { (error as? APIError)?.id }

  @Test("whoever may open the control socket is the local admin")
  func control() async throws {
    try await TestPlatform.serving { platform in
      let account: AccountResource = try await platform.control.get("/account")
      #expect(account.admin)
      let resource: PlatformResource = try await platform.control.get("/platform")
      #expect(resource.receiver_pid == 1)
      #expect(resource.server_pid == getpid())
    }
  }

  @Test("over TCP only health is open; the rest wants a token, bearer or basic")
  func tcp() async throws {
    try await TestPlatform.serving { platform in
      let health: [String: String] = try await platform.tcp.get("/health")
      #expect(health == ["status": "ok"])
      for header in [nil, "Bearer nonsense", "Basic !", "Basic OnRva2Vu"] {
        let request = ClientRequest(.get, "/account", headers: header.map { ["Authorization": $0] } ?? [:])
        let error = await #expect(throws: (any Error).self) { try await platform.tcp.call(request) }
        #expect(id(of: error) == "unauthorized")
      }
      let client = try await platform.loggedIn()
      _ = try await client.get("/account", as: AccountResource.self)
      let basic = "Basic " + Base64.encode(Array(":\(client.token ?? "")".utf8))
      _ = try await platform.tcp.call(ClientRequest(.get, "/account", headers: ["Authorization": basic]))
    }
  }

  @Test("each role's socket serves that role's routes and no others")
  func roles() async throws {
    try await TestPlatform.serving { platform in
      for (client, path) in [
        (platform.router, "/account"), (platform.router, "/receiver/work"), (platform.control, "/receiver/ref-updates"),
        (platform.control, "/router/table"), (platform.tcp, "/receiver/ref-updates"),
        (platform.receiver, "/router/table"),
      ] {
        let error = await #expect(throws: (any Error).self) { try await client.call(ClientRequest(.get, path)) }
        #expect(["not_found", "unauthorized"].contains(id(of: error)), "\(path) at \(client.address)")
      }
      let updates: [RefUpdate] = try await platform.receiver.get(ReceiverRoutes.refUpdates(app: nil))
      #expect(updates.isEmpty)
      let error = await #expect(throws: (any Error).self) {
        try await platform.receiver.get("/apps", as: [AppResource].self)
      }
      #expect(id(of: error) == "unauthorized")
      try await platform.router.post(RouterRoutes.report, RouterReport(generation: 1, inFlight: []))
      let table: RoutingTable = try await platform.router.get(RouterRoutes.table(after: 0))
      #expect(table.generation > 0)
    }
  }

  @Test("a peer of another uid, root too, is refused before its first byte")
  func otherPeer() async throws {
    try await TestPlatform.serving(receiverUID: getuid() + 4711) { platform in
      await #expect(throws: ClientError.self) {
        try await platform.receiver.get(ReceiverRoutes.refUpdates(app: nil), as: [RefUpdate].self)
      }
    }
  }

  @Test("a peer that speaks another wire is told so")
  func otherWire() async throws {
    try await TestPlatform.serving { platform in
      let request = ClientRequest(.get, "/account", headers: [Wire.versionHeader: "99"])
      let error = await #expect(throws: (any Error).self) { try await platform.control.call(request) }
      #expect(id(of: error) == "upgrade_required")
      _ = try await platform.control.call(ClientRequest(.get, "/account", headers: [Wire.versionHeader: "1"]))
    }
  }

  @Test("sockets have the modes of their rooms, and a dead server's socket is replaced")
  func modes() async throws {
    try await TestPlatform.serving { platform in
      for (name, mode) in [("control", 0o600), ("receiver", 0o660), ("router", 0o660)] as [(String, UInt32)] {
        var info = stat()
        #expect(stat("\(platform.directory)/run/\(name).sock", &info) == 0)
        #expect(info.st_mode & 0o777 == mode)
      }
      let path = "\(platform.directory)/stale.sock"
      for _ in 0..<2 { close(try ListeningSocket.unix(path, mode: 0o600).descriptor) }
    }
  }

  @Test("a port in use is one clear sentence with a next step")
  func portInUse() throws {
    let first = try ListeningSocket.tcp(Address(host: "127.0.0.1", port: 0), option: "--api")
    defer { close(first.descriptor) }
    let address = try #require(first.address)
    let error = #expect(throws: APIStartError.self) { try ListeningSocket.tcp(address, option: "--api") }
    #expect(error?.message == "port \(address.port) is already in use (--api \(address))")
    #expect(error?.nextStep == "stop what uses it, or choose another with --api")
    let long = "/tmp/" + String(repeating: "x", count: 110)
    #expect(throws: APIStartError.pathTooLong(long)) { try ListeningSocket.unix(long, mode: 0o600) }
  }

  @Test("a server that stops does not wait for long polls")
  func stop() async throws {
    let elapsed = try await ContinuousClock().measure {
      try await TestPlatform.serving { platform in
        let poll = Task { try await platform.receiver.get(ReceiverRoutes.work, as: [ReceiverWork].self) }
        _ = try await platform.control.get("/account", as: AccountResource.self)
        withExtendedLifetime(poll) {}
      }
    }
    #expect(elapsed < .seconds(15))
  }
}
