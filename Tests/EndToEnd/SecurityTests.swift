import Glibc
import Linux
import Platform
import Testing
import Wire

extension EndToEnd {
  @Suite("Walls", .tags(.sandbox), .enabled("needs a sandbox", { await SandboxHere.available() }))
  struct SecurityTests {
    @Test("hostile exec strings are refused cleanly and touch nothing")
    func hostileExec() async throws {
      try await Installation.with { paas in
        let before = try Files.names(in: paas.data).sorted()
        let marker = paas.scratch + "/owned"
        let hostile = [
          "git-receive-pack '../../x.git'", "git-receive-pack '/etc/x.git'", "git-receive-pack '/../x.git'",
          "git-receive-pack 'a;touch \(marker)'", "git-receive-pack 'hello.git' 'two.git'", "git-receive-pack",
          "git-receive-pack 'HELLO.git'", "git-receive-pack '$(touch \(marker)).git'", "git-upload-archive 'hello.git'",
          "sh -c 'touch \(marker)'", "touch \(marker)", "apps; touch \(marker)", "apps && touch \(marker)",
          "apps | tee \(marker)", "server", "receiver", "worker unpack", "router", "server:stop", "/bin/sh",
          "../paas apps",
          "apps --data=/tmp", "apps --host=unix:/nowhere",
        ]
        for line in hostile {
          let outcome = try await paas.ssh([line])
          #expect(outcome.status != 0 && outcome.status != 255, "\(line): \(outcome)")
          #expect(!outcome.err.isEmpty, "\(line): no reason was given")
        }
        #expect(!Files.exists(marker))
        #expect(try Files.names(in: paas.data).sorted() == before)
      }
    }

    @Test("only public keys are offered; an unknown key gets nowhere")
    func onlyKeys() async throws {
      try await Installation.with { paas in
        let stranger = paas.scratch + "/stranger"
        #expect(
          try await Program.run("/usr/bin/ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", stranger]).status == 0)
        let port = try await paas.port("ssh")
        let refused = try await Program.run(
          "/usr/bin/ssh",
          paas.sshArguments(port: port, key: stranger) + ["-v", "-o", "BatchMode=yes", "paas@127.0.0.1", "apps"])
        #expect(refused.status == 255, "\(refused)")
        #expect(refused.err.contains("Permission denied (publickey)."), "\(refused)")
        #expect(
          refused.err.contains("Authentications that can continue: publickey\n")
            || refused.err.contains("Authentications that can continue: publickey\r\n"), "\(refused)")
        let password = try await paas.ssh(
          ["apps"], options: ["-o", "PreferredAuthentications=password,keyboard-interactive", "-o", "BatchMode=yes"])
        #expect(password.status == 255, "\(password)")
      }
    }

    @Test("subsystems, sftp, forwarding and agent are refused; a session without a command greets and exits 0")
    func refusedRequests() async throws {
      try await Installation.with { paas in
        let sftp = try await paas.ssh(["sftp"], options: ["-s"])
        #expect(sftp.status != 0, "\(sftp)")
        let forward = try await paas.ssh(
          ["whoami"], options: ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"])
        #expect(forward.status != 0, "\(forward)")
        let stdio = try await paas.ssh([], options: ["-W", "127.0.0.1:1"])
        #expect(stdio.status != 0, "\(stdio)")
        let greeting = try await paas.ssh([])
        #expect(greeting.status == 0 && (greeting.out + greeting.err).contains("paas"), "\(greeting)")
      }
    }

    @Test("stock ssh is enough for every command, with exit codes and Dokku's word order")
    func commandsOverSSH() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("remote", answering: "hi", in: paas)
        try await source.deploy()
        let releases = try await paas.ssh(["releases", "-a", "remote"])
        #expect(releases.status == 0 && releases.out.contains("=== remote Releases - Current: v1"), "\(releases)")
        #expect(try await paas.ssh(["releases", "-a", "nobody"]).status == 3)
        #expect(try await paas.ssh(["nonsense"]).status == 2)
        let scaled = try await paas.ssh(["ps:scale", "remote", "web=2"])
        #expect(scaled.status == 0, "\(scaled)")
        let run = try await paas.ssh(["run", "-a", "remote", "cat"], input: "bytes\n")
        #expect(run.status == 0 && run.out == "bytes\n", "\(run)")
        #expect(try await paas.ssh(["run", "-a", "remote", "--", "sh", "-c", "'exit 5'"]).status == 5)
      }
    }

    @Test(
      "as root: receiver and router are other users without capabilities, and cannot open the ledger",
      .enabled(if: geteuid() == 0))
    func roles() async throws {
      try await Installation.with { paas in
        let platform = try await paas.json(PlatformResource.self, ["platform"])
        for pid in [try #require(platform.receiver_pid), try #require(platform.router_pid)] {
          let status = try Files.text("/proc/\(pid)/status")
          let fields = Dictionary(
            status.split(separator: "\n").compactMap { line -> (String, String)? in
              let parts = line.split(separator: ":", maxSplits: 1)
              return parts.count == 2 ? (String(parts[0]), String(parts[1]).trimmed) : nil
            }, uniquingKeysWith: { first, _ in first })
          let uid = try #require(fields["Uid"]?.split(separator: "\t").first.flatMap { UInt32($0) })
          #expect(uid != 0)
          for set in ["CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"] {
            #expect(fields[set] == "0000000000000000", "\(set)")
          }
          #expect(fields["NoNewPrivs"] == "1")
          for name in try Files.names(in: "/proc/\(pid)/fd") {
            var target = [CChar](repeating: 0, count: 4096)
            let length = readlink("/proc/\(pid)/fd/\(name)", &target, 4095)
            guard length > 0 else { continue }
            let file = String(decoding: target[0..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            #expect(!file.contains("paas.db"), "a descriptor on the ledger")
          }
          for file in ["paas.db", "secrets/config.key"] {
            let opened = try await Program.run("/bin/cat", [paas.data + "/" + file], user: (uid, uid))
            #expect(opened.status != 0 && opened.err.contains("Permission denied"), "\(file): \(opened)")
          }
        }
      }
    }

    @Test("an app sees no file of the host, no other process, and gets no privilege")
    func appWalls() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("walls", answering: "hi", in: paas)
        try await source.deploy()
        let script = """
          ls /root /home /etc/shadow \(paas.data) 2>/dev/null; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status;
          id -u; ls /proc | grep -c '^[0-9]'; unshare -U true 2>&1; mount -t tmpfs x /tmp 2>&1; touch /usr/x 2>&1; echo end
          """
        let seen = try await paas.paas(["run", "-a", "walls", "--", "sh", "-c", script])
        for expected in [
          "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "\n1000\n", "end",
        ] {
          #expect(seen.out.contains(expected), "\(expected) missing in \(seen)")
        }
        #expect(!seen.out.contains("paas.db") && !seen.out.contains("shadow"), "\(seen)")
        #expect(seen.out.contains("Read-only file system") || seen.out.contains("Permission denied"), "\(seen)")
      }
    }

    @Test("two installations at once do not see each other")
    func twoInstallations() async throws {
      try await Installation.with { first in
        try await Installation.with { second in
          for (paas, text) in [(first, "first"), (second, "second")] {
            try await Source.node("same", answering: text, in: paas).deploy()
          }
          #expect(try await first.get(app: "same")?.body == "first")
          #expect(try await second.get(app: "same")?.body == "second")
          #expect(try await first.paas(["apps:destroy", "-a", "same", "--confirm", "same"]).status == 0)
          #expect(try await second.get(app: "same")?.body == "second")
          #expect(try await first.paas(["server:stop", "--all", "--data", first.data]).status == 0)
          #expect(try await second.get(app: "same")?.body == "second")
        }
      }
    }

    @Test("as a plain user: push, page, rollback", .enabled(if: geteuid() == 0))
    func plainUser() async throws {
      try await Installation.with(user: (54321, 54321)) { paas in
        let source = try await Source.node("plain", answering: "one", in: paas)
        try await source.deploy()
        #expect(try await paas.get(app: "plain")?.body == "one")
        try source.answer("two")
        try await source.commit("two")
        try await source.deploy()
        #expect(try await paas.paas(["releases:rollback", "-a", "plain"]).status == 0)
        #expect(try await paas.get(app: "plain")?.body == "one")
      }
    }
  }
}
