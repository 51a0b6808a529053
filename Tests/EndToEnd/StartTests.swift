import Glibc
import Linux
import Testing

extension EndToEnd {
  @Suite("A server that cannot start says why in one sentence and exits 1")
  struct StartTests {
    private func temporary() throws -> String {
      var template = Array("/tmp/paas-e2e-XXXXXX".utf8CString)
      guard let made = mkdtemp(&template) else { throw SystemError("make a temporary directory") }
      return String(cString: made)
    }

    private func serve(
      _ arguments: [String], environment: [String: String] = [:], user: (uid: UInt32, gid: UInt32)? = nil
    )
      async throws -> Outcome
    {
      try await Program.run(
        Installation.binary,
        ["server", "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0", "--api", "127.0.0.1:0"] + arguments,
        environment: environment, user: user)
    }

    private func expectOneSentence(_ outcome: Outcome, containing text: String) {
      #expect(outcome.status == 1, "\(outcome)")
      #expect(outcome.err.contains(text), "\(outcome)")
      #expect(outcome.err.trimmed.split(separator: "\n").count == 1, "\(outcome)")
    }

    @Test("a port in use")
    func portInUse() async throws {
      let directory = try temporary()
      defer { try? Files.removeTree(directory) }
      let taken = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(taken) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          #expect(bind(taken, $0, length) == 0 && listen(taken, 1) == 0 && getsockname(taken, $0, &length) == 0)
        }
      }
      let port = Int(UInt16(bigEndian: address.sin_port))
      for option in ["--http", "--ssh", "--api"] {
        let outcome = try await serve(["--data", directory, option, "127.0.0.1:\(port)"])
        expectOneSentence(outcome, containing: "port \(port) is already in use (\(option)")
      }
    }

    @Test(
      "a domain that no app can be served below",
      arguments: [
        ("10.0.0.1", "is an address"), ("::1", "is an address"), ("my_host", "not a domain name"),
        ("*.example.com", "is a wildcard"), ("http://example.com", "give the name alone"), ("", "1 to 253 bytes"),
      ])
    func domain(name: String, why: String) async throws {
      let directory = try temporary()
      defer { try? Files.removeTree(directory) }
      expectOneSentence(try await serve(["--data", directory, "--domain", name]), containing: why)
    }

    @Test("an unwritable data directory")
    func unwritable() async throws {
      let directory = try temporary()
      defer { try? Files.removeTree(directory) }
      chmod(directory, 0o555)
      let user: (uid: UInt32, gid: UInt32)? = geteuid() == 0 ? (54321, 54321) : nil
      let outcome = try await serve(["--data", directory], user: user)
      expectOneSentence(outcome, containing: "cannot write to the data directory '\(directory)'")
    }

    @Test("a data directory that is a file")
    func file() async throws {
      let directory = try temporary()
      defer { try? Files.removeTree(directory) }
      try Files.writeDurably([1], to: directory + "/file")
      expectOneSentence(try await serve(["--data", directory + "/file"]), containing: directory + "/file")
    }

    @Test("as root, a data directory that the roles cannot reach", .enabled(if: geteuid() == 0))
    func unreachable() async throws {
      let directory = try temporary()  // mode 0700, as mkdtemp makes it
      defer { try? Files.removeTree(directory) }
      expectOneSentence(try await serve(["--data", directory + "/data"]), containing: "other users cannot pass")
    }

    @Test("a missing crun")
    func missingCrun() async throws {
      let directory = try temporary()
      defer { try? Files.removeTree(directory) }
      let outcome = try await serve(["--data", directory], environment: ["PATH": directory])
      expectOneSentence(outcome, containing: "crun")
      #expect(outcome.err.contains("apt-get install"))
    }

    @Test(
      "a second server on the same directory", .tags(.sandbox),
      .enabled("needs a sandbox", { await SandboxHere.available() }))
    func second() async throws {
      try await Installation.with { first in
        let outcome = try await serve(["--data", first.data])
        expectOneSentence(outcome, containing: "another paas server")
        #expect(outcome.err.contains("server:stop"))
      }
    }

    @Test("a command without a server says how to start one")
    func noServer() async throws {
      let directory = try temporary()
      defer { try? Files.removeTree(directory) }
      let outcome = try await Program.run(Installation.binary, ["apps"], environment: ["PAAS_DATA": directory])
      #expect(outcome.status == 1 && outcome.err.contains("paas server"), "\(outcome)")
    }
  }
}
