import CLinux
import Glibc
import Linux
import Logging
import Platform
import Testing
import Wire

@testable import GitReceiver

@Suite("The life of SSH connections")
struct SSHLifeTests {
  private func limits(_ name: String, _ value: Int) throws -> SSHLimits {
    try SSHLimits(environment: ["PAAS_SSH_\(name)": "\(value)"])
  }

  @Test("silent connections from one source are cut off at the limit, and a login still works after they go")
  func limits() async throws {
    let harness = try await SSHHarness(limits: limits("UNAUTHENTICATED_PER_SOURCE", 2))
    do {
      let silent = [try RawClient(harness.port), try RawClient(harness.port)]
      #expect(await eventually { harness.server.connectionCount == 2 })
      let third = await (try RawClient(harness.port)).readToEnd()
      #expect(
        String(decoding: third ?? [], as: UTF8.self)
          == "paas: too many connections from your address are logging in; try again in a moment\r\n")
      withExtendedLifetime(silent) {}
    }
    #expect(await eventually { harness.server.connectionCount == 0 })
    #expect(try await harness.ssh("ps").status == 7)
  }

  @Test("who does not log in within the grace time is disconnected")
  func grace() async throws {
    let harness = try await SSHHarness(limits: limits("LOGIN_SECONDS", 1))
    let silent = try RawClient(harness.port)
    #expect(await silent.readToEnd() != nil)
    #expect(await eventually { harness.server.connectionCount == 0 })
  }

  @Test("garbage instead of SSH ends the connection, not the server")
  func garbage() async throws {
    let harness = try await SSHHarness()
    let client = try RawClient(harness.port)
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(await client.readToEnd() != nil)
    #expect(try await harness.ssh("ps").status == 7)
  }

  @Test("six wrong keys are enough")
  func tries() async throws {
    let harness = try await SSHHarness()
    var keys: [String] = []
    for number in 0..<7 {
      let path = "\(harness.directory)/wrong\(number)"
      _ = try await execute("/usr/bin/ssh-keygen", ["-q", "-N", "", "-f", path, "-t", "ed25519"])
      keys += ["-i", path]
    }
    let ended = try await harness.ssh("ps", options: keys + ["-o", "LogLevel=INFO"])
    #expect(ended.status == 255)
    #expect(ended.errors.contains("Too many authentication failures"))
    #expect(harness.stub.requests.filter { $0.path == ReceiverRoutes.sessions }.count == 6)
  }

  @Test("removing a key closes the sessions that came in with it, and ends their commands")
  func removedKey() async throws {
    let harness = try await SSHHarness()
    async let session = harness.ssh("logs")
    let fingerprint = try await execute("/usr/bin/ssh-keygen", ["-l", "-f", "\(harness.key).pub"]).text
      .split(separator: " ")[1]
    #expect(harness.server.closeSessions(fingerprint: "SHA256:other") == 0)
    #expect(await eventually { harness.server.closeSessions(fingerprint: String(fingerprint)) == 1 })
    let ended = try await session
    #expect(ended.status == 255)
    if let pid = Int32(ended.text.split(separator: "\n").first ?? "") {
      #expect(await eventually { kill(pid, 0) != 0 })
    }
  }

  @Test("a client that is killed takes its command with it")
  func clientGone() async throws {
    let harness = try await SSHHarness()
    let output = try pipe()
    defer { close(output.read) }
    let client = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh", arguments: harness.options + ["-i", harness.key, "paas@127.0.0.1", "logs"],
        environment: ["PATH": "/usr/bin:/bin"], descriptors: [1: output.write]))
    close(output.write)
    let line = await blocking { () -> String in
      var buffer = [UInt8](repeating: 0, count: 32)
      let count = read(output.read, &buffer, buffer.count)
      return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
    let command = try #require(Int32(line.split(separator: "\n").first ?? ""))
    #expect(kill(command, 0) == 0)
    client.signal(SIGKILL)
    _ = await client.exitStatus()
    #expect(await eventually { kill(command, 0) != 0 && harness.server.connectionCount == 0 })
  }

  @Test("a client that sends without end what its command does not read is noticed when it leaves")
  func unreadInput() async throws {
    let harness = try await SSHHarness()
    let output = try pipe()
    defer { close(output.read) }
    let path = "\(harness.directory)/zeros"
    let zeros = try checked("open '\(path)'") { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
    defer { close(zeros) }
    ftruncate(zeros, 256 << 20)
    let client = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh", arguments: harness.options + ["-i", harness.key, "paas@127.0.0.1", "logs"],
        environment: ["PATH": "/usr/bin:/bin"], descriptors: [0: zeros, 1: output.write]))
    close(output.write)
    let line = await blocking { () -> String in
      var buffer = [UInt8](repeating: 0, count: 32)
      let count = read(output.read, &buffer, buffer.count)
      return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
    let command = try #require(Int32(line.split(separator: "\n").first ?? ""))
    // Far more than the command's pipe holds. The offset is shared with the client.
    #expect(await eventually { lseek(zeros, 0, SEEK_CUR) > 1 << 20 })
    #expect(kill(command, 0) == 0)
    client.signal(SIGKILL)
    _ = await client.exitStatus()
    #expect(await eventually { kill(command, 0) != 0 && harness.server.connectionCount == 0 })
  }

  @Test("while the platform is away, a login says so")
  func platformAway() async throws {
    let harness = try await SSHHarness()
    try Files.removeTree(harness.stub.path)
    let ended = try await harness.ssh("ps", options: ["-o", "LogLevel=INFO"])
    #expect(ended.status == 255)
    #expect(ended.errors.contains("the server cannot check logins now"))
  }
}
