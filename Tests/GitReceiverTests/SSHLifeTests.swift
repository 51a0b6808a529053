import CLinux
import Glibc
import Linux
import Logging
import Platform
import Testing
import Wire

@testable import GitReceiver

/// A connection that says nothing.
private func connect(_ port: UInt16) throws -> Int32 {
  let socket = try checked("make a socket") {
    Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  try checked("connect") {
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
  return socket
}

/// Reads until the other side closes; false when it does not within ten seconds.
private func closes(_ socket: Int32) async -> Bool {
  await blocking {
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(socket, &buffer, buffer.count, 0)
      if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
      if count < 0, errno != EINTR { return false }
    }
  }
}

@Suite("The life of SSH connections")
struct SSHLifeTests {
  @Test("silent connections from one source are cut off at the limit, and a login still works after they go")
  func limits() async throws {
    let harness = try await SSHHarness(limits: .init(unauthenticated: 8, unauthenticatedPerSource: 2, total: 100))
    let silent = [try connect(harness.port), try connect(harness.port)]
    #expect(await eventually { harness.server.connectionCount == 2 })
    let third = try connect(harness.port)
    #expect(await closes(third))
    for socket in silent + [third] { close(socket) }
    #expect(await eventually { harness.server.connectionCount == 0 })
    #expect(try await harness.ssh("ps").status == 7)
  }

  @Test("who does not log in within the grace time is disconnected")
  func grace() async throws {
    let harness = try await SSHHarness(loginGrace: .milliseconds(300))
    let silent = try connect(harness.port)
    defer { close(silent) }
    #expect(await closes(silent))
    #expect(await eventually { harness.server.connectionCount == 0 })
  }

  @Test("garbage instead of SSH ends the connection, not the server")
  func garbage() async throws {
    let harness = try await SSHHarness()
    let socket = try connect(harness.port)
    defer { close(socket) }
    try Files.writeAll(Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), to: socket, name: "garbage")
    #expect(await closes(socket))
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

  @Test("while the platform is away, a login says so")
  func platformAway() async throws {
    let harness = try await SSHHarness()
    try Files.removeTree(harness.stub.path)
    let ended = try await harness.ssh("ps", options: ["-o", "LogLevel=INFO"])
    #expect(ended.status == 255)
    #expect(ended.errors.contains("the server cannot check logins now"))
  }

  @Test("host keys are made once, readable by their owner alone, and kept")
  func hostKeys() async throws {
    let directory = "/tmp/paas-ssh-test-\(UInt32.random(in: 0 ... .max))"
    try Files.makeDirectory(directory, mode: 0o700)
    defer { try? Files.removeTree(directory) }  // a leftover in /tmp fails no test
    let keys = try HostKeys(directory: directory)
    var info = stat()
    for path in [keys.ed25519, keys.rsa] {
      #expect(stat(path, &info) == 0)
      #expect(info.st_mode & 0o777 == 0o600)
    }
    let before = try [Files.read(keys.ed25519), Files.read(keys.rsa)]
    chmod(keys.rsa, 0o644)
    _ = try HostKeys(directory: directory)
    #expect(try [Files.read(keys.ed25519), Files.read(keys.rsa)] == before)
    #expect(stat(keys.rsa, &info) == 0 && info.st_mode & 0o777 == 0o600)
    let size = try await execute("/usr/bin/ssh-keygen", ["-l", "-f", keys.rsa]).text
    #expect(size.hasPrefix("3072 "))

    try Files.writeDurably("damaged".utf8, to: keys.ed25519)
    #expect(throws: SSHError.hostKey(path: keys.ed25519, reason: "it cannot be read as a private key")) {
      try HostKeys(directory: directory)
    }
  }
}
