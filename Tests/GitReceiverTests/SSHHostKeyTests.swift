import Glibc
import Linux
import Testing

@testable import GitReceiver

@Suite("Host keys")
struct SSHHostKeyTests {
  /// A directory for the length of `body`.
  private func inDirectory(_ body: (String) async throws -> Void) async throws {
    let directory = "/tmp/paas-ssh-test-\(UInt32.random(in: 0 ... .max))"
    try Files.makeDirectory(directory, mode: 0o700)
    defer { try? Files.removeTree(directory) }  // a leftover in /tmp fails no test
    try await body(directory)
  }

  private func mode(_ path: String) -> UInt32? { Files.mode(of: path).map { $0 & 0o777 } }

  @Test("host keys are made once, readable by their owner alone, and kept")
  func madeOnce() async throws {
    try await inDirectory { directory in
      let keys = try HostKeys(directory: directory)
      #expect([mode(keys.ed25519), mode(keys.rsa)] == [0o600, 0o600])
      let before = try [Files.read(keys.ed25519), Files.read(keys.rsa)]
      #expect(try HostKeys(directory: directory).fingerprints == keys.fingerprints)
      #expect(try [Files.read(keys.ed25519), Files.read(keys.rsa)] == before)
      let size = try await execute("/usr/bin/ssh-keygen", ["-l", "-f", keys.rsa]).text
      #expect(size.hasPrefix("3072 "))
    }
  }

  @Test("the fingerprints are those that ssh-keygen shows, of the key and of its public half")
  func fingerprints() async throws {
    try await inDirectory { directory in
      let keys = try HostKeys(directory: directory)
      for (path, fingerprint) in [(keys.ed25519, keys.fingerprints[0]), (keys.rsa, keys.fingerprints[1])] {
        let words = fingerprint.split(separator: " ").map(String.init)
        for file in [path, "\(path).pub"] {
          let shown = try await execute("/usr/bin/ssh-keygen", ["-l", "-f", file]).text
          #expect(words.allSatisfy(shown.contains), "\(shown) \(fingerprint)")
        }
        #expect(mode("\(path).pub") == 0o644)
      }
    }
  }

  @Test("a key that others could read is closed to them, and named")
  func exposed() async throws {
    try await inDirectory { directory in
      let keys = try HostKeys(directory: directory)
      #expect(keys.exposed.isEmpty)
      chmod(keys.rsa, 0o644)
      #expect(try HostKeys(directory: directory).exposed == [keys.rsa])
      #expect(mode(keys.rsa) == 0o600)
      #expect(try HostKeys(directory: directory).exposed.isEmpty)
    }
  }

  @Test("a damaged key, an empty one and one of another type stop the start with a sentence")
  func damaged() async throws {
    try await inDirectory { directory in
      let keys = try HostKeys(directory: directory)
      let whole = try Files.read(keys.ed25519)
      for damage in [Array("damaged".utf8), [], Array(whole.prefix(whole.count / 2))] {
        try Files.writeDurably(damage, to: keys.ed25519)
        #expect(throws: SSHError.hostKey(path: keys.ed25519, reason: "it cannot be read as a private key")) {
          try HostKeys(directory: directory)
        }
      }
      try Files.writeDurably(try Files.read(keys.rsa), to: keys.ed25519)
      let error = #expect(throws: SSHError.self) { try HostKeys(directory: directory) }
      #expect(error?.message == "cannot use the host key '\(keys.ed25519)': it is a key of another type")
      #expect(error?.nextStep?.contains("restore") == true)
    }
  }
}
