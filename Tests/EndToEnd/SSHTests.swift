import Glibc
import Linux
import Testing

extension EndToEnd {
  @Suite(
    "The SSH door of a whole server", .tags(.sandbox), .enabled("needs a sandbox", { await SandboxHere.available() }))
  struct SSHTests {
    /// Threads and open descriptors of a process. As root, or as the process's user, both can be seen.
    private func held(_ pid: Int32) throws -> (threads: Int, descriptors: Int) {
      (
        try Files.names(in: "/proc/\(pid)/task").count,
        geteuid() == 0 ? try Files.names(in: "/proc/\(pid)/fd").count : 0
      )
    }

    /// What it holds when nothing has changed for half a second.
    private func settled(_ pid: Int32) async throws -> (threads: Int, descriptors: Int) {
      var (last, same) = (try held(pid), 0)
      try await eventually("the receiver has come to rest") {
        let now = try held(pid)
        (last, same) = (now, now == last ? same + 1 : 0)
        return same >= 25
      }
      return last
    }

    private func receiver(_ paas: Installation) async throws -> Int32 {
      struct Shown: Decodable { var receiver_pid: Int32? }
      return try #require(try await paas.json(Shown.self, ["platform"]).receiver_pid)
    }

    private func touch(_ port: Int, _ bytes: String) throws {
      let socket = try checked("make a socket") {
        Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      }
      defer { close(socket) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = UInt16(port).bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      try checked("connect") {
        withUnsafePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
          }
        }
      }
      _ = send(socket, bytes, bytes.utf8.count, Int32(MSG_NOSIGNAL))
    }

    @Test("hundreds of connections that break off leave no thread and no descriptor behind")
    func leaks() async throws {
      try await Installation.with { paas in
        #expect(try await paas.ssh(["apps"]).status == 0)
        let (pid, port) = (try await receiver(paas), try await paas.port("ssh"))
        for _ in 0..<3 { #expect(try await paas.ssh(["apps"]).status == 0) }
        let before = try await settled(pid)
        for number in 0..<300 {
          try touch(port, ["", "SSH-2.0-x\r\n", "SSH-2.0-x\r\n\0\0\u{1}\u{4}", "nothing of the kind\n"][number % 4])
        }
        // From elsewhere: those above may still take all that their address is granted.
        for _ in 0..<3 { #expect(try await paas.ssh(["apps"], options: ["-b", "127.0.0.2"]).status == 0) }
        #expect(try await paas.ssh(["git-receive-pack", "'../x'"], options: ["-b", "127.0.0.2"]).status == 2)
        try await eventually("threads and descriptors are as before") {
          let now = try held(pid)
          return now.threads <= before.threads && now.descriptors <= before.descriptors
        }
      }
    }

    @Test("the host keys' fingerprints are shown at the start, and clients see the same")
    func fingerprints() async throws {
      try await Installation.with { paas in
        let log = try Files.text(paas.scratch + "/server.log")
        let seen = try await paas.ssh(["apps"], options: ["-v"])
        let shown = log.split(separator: "\n").first { $0.hasPrefix("paas: SSH host key SHA256:") }
        let fingerprint = try #require(shown?.split(separator: " ")[4])
        #expect(log.contains("(ED25519)") && log.contains("(RSA)"))
        #expect(seen.err.contains("Server host key: ssh-ed25519 \(fingerprint)"), "\(seen.err)")
      }
    }

    @Test("a damaged host key stops the start, and the receiver's words say what to do")
    func damagedHostKey() async throws {
      var template = Array("/tmp/paas-e2e-XXXXXX".utf8CString)
      let data = String(cString: try #require(mkdtemp(&template)))
      defer { try? Files.removeTree(data) }  // a leftover in /tmp fails no test
      chmod(data, 0o711)
      try Files.makeDirectory(data + "/receiver", mode: 0o711)
      let key = data + "/receiver/ssh_host_ed25519_key"
      try Files.writeDurably("damaged".utf8, to: key)
      // A first start as root makes the roles' users; their key is theirs.
      if geteuid() == 0, getpwnam("paas-receiver") == nil { try await Installation.with { _ in } }
      let receiver = geteuid() == 0 ? getpwnam("paas-receiver") : nil
      if let receiver { chown(key, receiver.pointee.pw_uid, receiver.pointee.pw_gid) }
      let outcome = try await Program.run(
        Installation.binary,
        ["server", "--data", data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0", "--api", "127.0.0.1:0"])
      _ = try await Program.run(Installation.binary, ["server:stop", "--all", "--data", data])
      #expect(outcome.status == 1)
      #expect(
        outcome.err.contains(
          "paas: cannot use the host key '\(key)': it cannot be read as a private key; restore '\(key)', or remove it"))
      #expect(outcome.err.contains("paas: the receiver does not start; look at its words in the log above"))
    }

    @Test("a setting of the environment reaches the receiver, and a wrong one stops the start")
    func settings() async throws {
      try await Installation.with(environment: ["PAAS_SSH_IDLE_SECONDS": "1"]) { paas in
        let ended = try await paas.ssh([], options: ["-N"])
        #expect(ended.status == 255)
      }
      let outcome = try await Program.run(
        Installation.binary, ["server", "--data", "/tmp/paas-e2e-none"], environment: ["PAAS_SSH_SESSIONS": "many"])
      #expect(outcome.status == 1)
      #expect(
        outcome.err
          == "paas: PAAS_SSH_SESSIONS is 'many', not a number from 1 to 100000; correct it, or leave it out for the default\n"
      )
    }
  }
}
