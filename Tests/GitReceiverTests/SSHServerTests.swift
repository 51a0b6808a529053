import CLinux
import Glibc
import Linux
import Platform
import Testing
import Wire

@testable import GitReceiver

@Suite("SSH with a stock client")
struct SSHServerTests {
  @Test("a session without a command greets, lists commands and exits 0")
  func greeting() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh()
    #expect(ended.status == 0)
    #expect(ended.text.hasPrefix("Hello dev@example.org, your key works."))
    #expect(ended.errors == "")
  }

  @Test("both user names are welcome, others are not")
  func users() async throws {
    let harness = try await SSHHarness()
    #expect(try await harness.ssh(user: "git").status == 0)
    let root = try await harness.ssh(user: "root")
    #expect(root.status == 255)
    #expect(root.errors.contains("Permission denied (publickey)"))
  }

  @Test("an unknown key gets nowhere")
  func unknownKey() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("apps", key: harness.unknownKey)
    #expect(ended.status == 255)
    #expect(ended.errors.contains("Permission denied (publickey)"))
    #expect(ended.output.isEmpty)
  }

  @Test("the known key works after unknown ones were tried")
  func severalKeys() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("whoami", options: ["-i", harness.unknownKey])
    #expect(ended.text == SSHHarness.token)
  }

  @Test(
    "RSA and ECDSA keys are known by their authorized_keys line",
    arguments: [["-t", "rsa", "-b", "2048"], ["-t", "ecdsa", "-b", "256"], ["-t", "ecdsa", "-b", "521"]])
  func keyTypes(_ type: [String]) async throws {
    let harness = try await SSHHarness(keyType: type)
    let ended = try await harness.ssh("whoami")
    #expect(ended.text == SSHHarness.token, "\(ended.errors)")
  }

  @Test(
    "only public keys are offered", arguments: ["password", "keyboard-interactive", "hostbased", "gssapi-with-mic"])
  func onlyKeys(_ method: String) async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("apps", options: ["-v", "-o", "PreferredAuthentications=\(method)"])
    #expect(ended.status == 255)
    #expect(ended.errors.contains("Authentications that can continue: publickey\r\n"))
    #expect(!ended.errors.contains("Authentication succeeded"))
  }

  @Test("the session's token reaches the command on descriptor 3, and nothing else of ours does")
  func token() async throws {
    let harness = try await SSHHarness()
    #expect(try await harness.ssh("whoami").text == SSHHarness.token)
    let version = try await harness.ssh("version", options: ["-o", "SetEnv=LD_PRELOAD=/tmp/x EVIL=1"])
    let lines = version.text.split(separator: "\n").map(String.init)
    #expect(lines.contains("PAAS_HOST=unix:\(harness.stub.path)"))
    #expect(lines.contains("PAAS_SESSION_FD=3"))
    #expect(lines.contains("PAAS_OVER_SSH=1"))
    #expect(!version.text.contains("EVIL") && !version.text.contains("LD_PRELOAD"))
    #expect(lines.last == "5")  // 0, 1, 2, 3, and the one that lists
  }

  @Test("the session ends at the server when the connection ends")
  func endsSession() async throws {
    let harness = try await SSHHarness()
    _ = try await harness.ssh("ps")
    #expect(
      await eventually {
        harness.stub.requests.contains {
          $0.method == "DELETE" && $0.path == ReceiverRoutes.session
            && $0.headers["authorization"] == "Bearer \(SSHHarness.token)"
        }
      })
    #expect(await eventually { harness.server.connectionCount == 0 })
  }

  @Test("exit codes and both streams pass through, and the client sees a clean end")
  func exitCodes() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("ps", options: ["-o", "LogLevel=INFO"])
    #expect(ended.status == 7)
    #expect(ended.text == "out\n")
    #expect(ended.errors.hasSuffix("err\n"))
    #expect(!ended.errors.contains("Connection"))
    #expect(try await harness.ssh("ps:stop").status == 137)
  }

  @Test("megabytes of any bytes pass through a command in both directions at once")
  func eightBit() async throws {
    let harness = try await SSHHarness()
    var random = SystemRandomNumberGenerator()
    var input = (0..<(6 << 20) / 8).flatMap { _ in withUnsafeBytes(of: random.next() as UInt64, Array.init) }
    input += Array(0...255)
    let ended = try await harness.ssh("apps", input: input)
    #expect(ended.status == 0)
    #expect(ended.output == input)
  }

  @Test("a change of keys in the middle of a stream loses nothing")
  func rekey() async throws {
    let harness = try await SSHHarness()
    let input = (0..<5 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    let ended = try await harness.ssh("apps", options: ["-v", "-o", "RekeyLimit=1M"], input: input)
    #expect(ended.output == input)
    #expect(ended.status == 0)
    #expect(ended.errors.ranges(of: "SSH2_MSG_NEWKEYS received").count > 2)
  }

  @Test("20 MB come out of a command that reads nothing")
  func bulkOutput() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("releases")
    #expect(ended.output.count == 20_000_000)
    #expect(ended.status == 0)
  }

  @Test("a command that reads only part of its input still ends well")
  func partOfInput() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("builds", input: [UInt8](repeating: 65, count: 8 << 20))
    #expect(ended.text == "enough\n")
    #expect(ended.status == 0)
  }

  @Test("words reach the command as they were quoted, and no shell sees them")
  func words() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("config:set A='x  y' ; touch \(harness.directory)/pwned $(id) `id`")
    #expect(
      ended.text == "[A=x  y]\n[;]\n[touch]\n[\(harness.directory)/pwned]\n[$(id)]\n[`id`]\n")
    #expect(!Files.exists("\(harness.directory)/pwned"))
  }

  @Test(
    "hostile requests are refused with a sentence and exit 2",
    arguments: [
      "git-receive-pack '../../x.git'", "git-receive-pack '/etc/passwd'", "git-receive-pack 'a.git' 'b.git'",
      "git-receive-pack 'a.git;id'", "/bin/sh -c id", "scp -t /tmp", "server --data /tmp", "worker build", "apps 'x",
    ])
  func hostile(_ command: String) async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh(command)
    #expect(ended.status == 2)
    #expect(ended.errors.hasPrefix(" !     "))
    #expect(ended.output.isEmpty)
    #expect(
      harness.stub.requests.allSatisfy { $0.path == ReceiverRoutes.sessions || $0.path == ReceiverRoutes.session })
  }

  @Test("who may not read an app is told so, in git's own way")
  func clone() async throws {
    let harness = try await SSHHarness { _, _ in .error("forbidden", "you may not read 'hello'", status: 403) }
    let ended = try await harness.ssh("git-upload-pack 'hello.git'")
    #expect(ended.status == 1)
    #expect(ended.text.hasSuffix("ERR you may not read 'hello'"))
  }

  @Test("sftp and other subsystems are refused")
  func subsystems() async throws {
    let harness = try await SSHHarness()
    let sftp = try await execute(
      "/usr/bin/sftp",
      ["-P", "\(harness.port)"] + harness.options.dropFirst(4) + ["-i", harness.key, "paas@127.0.0.1"])
    #expect(sftp.status == 255)
    #expect(sftp.errors.contains("subsystem request failed"))
    #expect(try await harness.ssh("netconf", options: ["-s"]).status == 255)
  }

  @Test("forwarding of the standard streams is refused")
  func stdioForwarding() async throws {
    let harness = try await SSHHarness()
    let stdio = try await harness.ssh(options: ["-W", "127.0.0.1:\(harness.port)"])
    #expect(stdio.status == 255)
    #expect(stdio.errors.contains("stdio forwarding failed"))
  }

  @Test("run gets a terminal when it is asked for, with its size and name")
  func terminal() async throws {
    let harness = try await SSHHarness()
    #expect(try await harness.ssh("run").text == "pipe\n")
    let ended = try await harness.ssh("run", options: ["-tt"], environment: ["TERM": "xterm-256color"])
    #expect(ended.text == "0 0\r\nxterm-256color\r\n")
    #expect(ended.status == 0)
  }

  @Test("other commands get no terminal; a client that insists on one says so and leaves")
  func noTerminal() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("ps", options: ["-tt"])
    #expect(ended.errors.contains("PTY allocation request failed"))
    #expect(ended.status == 255)
  }

  @Test("a greeting on a terminal has carriage returns")
  func terminalGreeting() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh(options: ["-tt"])
    #expect(ended.status == 0)
    #expect(ended.text.contains("commands:\r\n"))
  }

  @Test("end of input reaches a command on a terminal")
  func terminalInput() async throws {
    let harness = try await SSHHarness()
    let ended = try await harness.ssh("ps:exec", options: ["-tt"], input: Array("hello\n".utf8))
    #expect(ended.text.contains("got hello"))
  }

  @Test("the first algorithms agreed on are modern ones, and old ones are not there")
  func algorithms() async throws {
    let harness = try await SSHHarness()
    let verbose = try await harness.ssh(options: ["-vv"])
    #expect(verbose.errors.contains("kex: algorithm: curve25519-sha256"))
    #expect(verbose.errors.contains("kex: host key algorithm: ssh-ed25519"))
    for old in [
      "KexAlgorithms=diffie-hellman-group14-sha256", "Ciphers=aes128-ctr", "HostKeyAlgorithms=ecdsa-sha2-nistp256",
    ] {
      let ended = try await harness.ssh(options: ["-o", old, "-o", "LogLevel=INFO"])
      #expect(ended.status == 255, "\(old)")
      #expect(ended.errors.contains("Unable to negotiate"), "\(old)")
    }
    #expect(try await harness.ssh(options: ["-o", "HostKeyAlgorithms=rsa-sha2-512"]).status == 0)
  }

  @Test("two commands over one shared connection both work")
  func sharedConnection() async throws {
    let harness = try await SSHHarness()
    let shared = ["-o", "ControlMaster=auto", "-o", "ControlPath=\(harness.directory)/mux", "-o", "ControlPersist=5"]
    #expect(try await harness.ssh("whoami", options: shared).text == SSHHarness.token)
    #expect(try await harness.ssh("ps", options: shared).status == 7)
    _ = try await harness.ssh(options: shared + ["-O", "exit"])
  }
}
