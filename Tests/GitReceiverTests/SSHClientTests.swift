import Glibc
import Linux
import Testing

@testable import GitReceiver

/// What people's ssh configurations ask for beside a command.
@Suite("SSH clients with habits")
struct SSHClientTests {
  private func sharing(_ harness: SSHHarness) -> [String] {
    ["-o", "ControlMaster=auto", "-o", "ControlPath=\(harness.directory)/mux", "-o", "ControlPersist=600"]
  }

  @Test("a second command over a shared connection that is busy goes over one of its own")
  func sharedAtOnce() async throws {
    let harness = try await SSHHarness()
    let shared = sharing(harness)
    let (input, output) = (try pipe(), try pipe())
    let first = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh", arguments: shared + harness.options + ["-i", harness.key, "paas@127.0.0.1", "apps"],
        environment: ["PATH": "/usr/bin:/bin"], descriptors: [0: input.read, 1: output.write]))
    close(input.read)
    close(output.write)
    defer { close(output.read) }
    try Files.writeAll(Array("x".utf8), to: input.write, name: "ssh")
    let echoed = await blocking { () -> Int in
      var byte: UInt8 = 0
      return read(output.read, &byte, 1)
    }
    #expect(echoed == 1)  // it runs

    let second = try await harness.ssh("ps", options: shared + ["-o", "LogLevel=INFO"])
    #expect(second.status == 7, "\(second.errors)")
    #expect(second.errors.contains("Session open refused by peer"), "\(second.errors)")
    close(input.write)
    #expect(await first.exitStatus() == 0)
    #expect(try await harness.ssh("whoami", options: shared).text == SSHHarness.token)
    _ = try await harness.ssh(options: shared + ["-O", "exit"])
  }

  @Test("many commands one after the other over a shared connection, refused ones among them")
  func sharedInTurn() async throws {
    let harness = try await SSHHarness()
    let shared = sharing(harness)
    for _ in 0..<4 {
      #expect(try await harness.ssh("ps", options: shared).status == 7)
      #expect(try await harness.ssh("rm -rf /", options: shared).status == 2)
      #expect(try await harness.ssh("sftp", options: shared + ["-s"]).status != 0)
      #expect(try await harness.ssh("whoami", options: shared).text == SSHHarness.token)
    }
    #expect(harness.server.connectionCount == 1)
    _ = try await harness.ssh(options: shared + ["-O", "exit"])
  }

  @Test("the client's keep-alives are answered while a command says nothing")
  func keepAlive() async throws {
    let harness = try await SSHHarness()
    let alive = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=100", "-vvv"]
    let result = try await harness.ssh("run sleep", options: alive)
    #expect(result.status == 0, "\(result.errors)")
    let parts = result.errors.split(separator: "Entering interactive session", maxSplits: 1)
    let answers = try #require(parts.last).ranges(of: "receive packet: type 81")  // SSH_MSG_REQUEST_SUCCESS
    #expect(parts.count == 2 && answers.count >= 2, "\(result.errors)")
  }

  @Test("forwarding from the client's side opens nothing", arguments: [["-L"], ["-D"]])
  func localForwarding(_ kind: [String]) async throws {
    let harness = try await SSHHarness()
    let (target, port) = try listenOnLoopback()
    defer { close(target) }
    // The client takes no "any port" here. At an address of its own no other test is in the way.
    let (address, local) = (0x7F00_0000 | UInt32.random(in: 0x1_0000...0xFE_FFFF), UInt16(40_000))
    let host = stride(from: 24, through: 0, by: -8).map { "\(address >> UInt32($0) & 0xFF)" }.joined(separator: ".")
    let specification = "\(host):\(local)" + (kind == ["-L"] ? ":127.0.0.1:\(port)" : "")
    async let session = harness.ssh("logs", options: kind + [specification, "-o", "LogLevel=INFO"])
    defer { harness.server.stop() }  // ends the session, however this ends
    #expect(await eventually { (try? RawClient(local, at: address)) != nil })
    let tunnel = try RawClient(local, at: address)
    if kind == ["-D"] {
      await tunnel.send([4, 1, UInt8(port >> 8), UInt8(port & 0xFF), 127, 0, 0, 1, 0])  // SOCKS4 CONNECT
    }
    #expect(await tunnel.readToEnd() != nil)
    var waiting = pollfd(fd: target, events: Int16(POLLIN), revents: 0)
    #expect(poll(&waiting, 1, 0) == 0)  // nobody came through
    harness.server.stop()
    #expect(try await session.errors.contains("administratively prohibited"))
  }

  @Test(
    "remote forwarding is refused, of ports and of sockets",
    arguments: ["0:127.0.0.1:1", "127.0.0.1:0:127.0.0.1:1", "/tmp/paas-forward.sock:127.0.0.1:1"])
  func remoteForwarding(_ specification: String) async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("ps", options: ["-R", specification, "-o", "ExitOnForwardFailure=yes"])
    #expect(ended.status == 255)
    #expect(ended.errors.contains("remote port forwarding failed"), "\(ended.errors)")
    #expect(!Files.exists("/tmp/paas-forward.sock"))
  }

  @Test("agent forwarding is asked for by a client with an agent, and refused")
  func agent() async throws {
    let harness = try await SSHHarness()
    let socket = "\(harness.directory)/agent"
    let started = try await execute("/usr/bin/ssh-agent", ["-s", "-a", socket])
    let pid = started.text.split(separator: ";").first { $0.contains("SSH_AGENT_PID=") }
      .flatMap { Int32($0.split(separator: "=").last ?? "") }
    defer { if let pid { kill(pid, SIGTERM) } }
    _ = try #require(pid)
    // The last -o IdentityAgent=none of the harness only hides the agent's keys; forwarding takes its own path.
    let ended = try await harness.ssh(
      "version", options: ["-v", "-o", "ForwardAgent=\(socket)", "-o", "IdentityAgent=\(socket)"])
    #expect(ended.errors.contains("Requesting authentication agent forwarding"), "\(ended.errors)")
    #expect(ended.status == 0)
    #expect(!ended.text.contains("SSH_AUTH_SOCK"))
  }

  @Test("X11 forwarding is refused, and the client is told")
  func x11() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh(
      "version", options: ["-X", "-v", "-o", "XAuthLocation=/nonexistent"], environment: ["DISPLAY": "127.0.0.1:77"])
    #expect(ended.errors.contains("Requesting X11 forwarding"), "\(ended.errors)")
    #expect(ended.errors.contains("X11 forwarding request failed on channel 0"), "\(ended.errors)")
    #expect(ended.status == 0)
    #expect(!ended.text.contains("DISPLAY"))
  }

  @Test("tunnels of network devices are refused")
  func tunnel() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("ps", options: ["-w", "7:7", "-o", "ExitOnForwardFailure=yes"])
    #expect(ended.status == 255)
  }

  @Test("of the environment only GIT_PROTOCOL is taken, and it reaches no command")
  func environment() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh(
      "version", options: ["-v", "-o", "SendEnv=*", "-o", "SetEnv=GIT_PROTOCOL=version=2 GIT_TRACE=1 PAAS_HOST=evil"],
      environment: ["LC_ALL": "C", "LD_PRELOAD_X": "1"])
    #expect(ended.status == 0)
    for name in ["GIT_PROTOCOL", "GIT_TRACE", "LC_ALL", "LD_PRELOAD_X", "evil"] {
      #expect(!ended.text.contains(name), "\(name)")
    }
  }

  @Test("signals of the client's terminal reach the command")
  func interrupt() async throws {
    let harness = try await SSHHarness()
    let (stdin, stdout) = (try makePipe(), try makePipe())
    let client = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh",
        arguments: ["-tt"] + harness.options + ["-i", harness.key, "paas@127.0.0.1", "run wait"],
        environment: ["PATH": "/usr/bin:/bin"], descriptors: [0: stdin.reading, 1: stdout.writing]))
    close(stdin.reading)
    close(stdout.writing)
    let text = await blocking { () -> String in
      defer { close(stdout.reading) }
      var (text, typed) = ("", false)
      var buffer = [UInt8](repeating: 0, count: 256)
      while case let count = read(stdout.reading, &buffer, buffer.count), count > 0 {
        text += String(decoding: buffer[..<count], as: UTF8.self)
        // Not before the command has said what it does with it.
        if !typed, text.contains("waiting") {
          var key: UInt8 = 3
          typed = write(stdin.writing, &key, 1) == 1
        }
      }
      return text
    }
    _ = await client.exitStatus()
    close(stdin.writing)
    #expect(text.contains("interrupted"), "\(text)")
  }

  @Test("a client without a command or a shell stays as long as it likes within the idle time")
  func noCommand() async throws {
    let harness = try await SSHHarness()
    let client = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/ssh", arguments: ["-N"] + harness.options + ["-i", harness.key, "paas@127.0.0.1"],
        environment: ["PATH": "/usr/bin:/bin"]))
    #expect(await eventually { harness.stub.requests.count == 1 && harness.server.connectionCount == 1 })
    #expect(try await harness.ssh("ps").status == 7)
    #expect(harness.server.connectionCount >= 1)
    client.signal(SIGTERM)
    _ = await client.exitStatus()
    #expect(await eventually { harness.server.connectionCount == 0 })
  }
}
