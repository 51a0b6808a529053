import Glibc
import Linux
import Testing

@Suite("Child processes")
struct ChildTests {
  private func output(of request: ChildRequest, descriptor: Int32 = 1) async throws -> (String, Int32) {
    let (reading, writing) = try makePipe()
    var request = request
    request.descriptors[descriptor] = writing
    let child = try Child.spawn(request)
    close(writing)
    defer { close(reading) }
    let text = await blocking { () -> String in
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while case let count = read(reading, &buffer, buffer.count), count > 0 { bytes += buffer[0..<count] }
      return String(decoding: bytes, as: UTF8.self)
    }
    return (text, await child.exitStatus())
  }

  @Test("a child inherits no descriptor that was not given")
  func noLeaks() async throws {
    let leak = open("/dev/null", O_RDONLY)  // without close-on-exec, on purpose
    defer { close(leak) }
    let (text, status) = try await output(of: ChildRequest(path: "/bin/ls", arguments: ["/proc/self/fd"]))
    #expect(status == 0)
    #expect(Set(text.split(separator: "\n").map(String.init)).subtracting(["0", "1", "2", "3"]).isEmpty)
  }

  @Test("a child inherits no environment")
  func noEnvironment() async throws {
    let (text, _) = try await output(of: ChildRequest(path: "/usr/bin/env", arguments: [], environment: ["A": "b c"]))
    #expect(text == "A=b c\n")
  }

  @Test("descriptors arrive where they were asked for, even when they trade places")
  func descriptors() async throws {
    let request = ChildRequest(path: "/bin/sh", arguments: ["-c", "echo five >&5"])
    let (text, _) = try await output(of: request, descriptor: 5)
    #expect(text == "five\n")
  }

  @Test("a program that is not there is an error with its name, not a child")
  func missing() {
    #expect(throws: SystemError("start '/nowhere/prog' (exec)", ENOENT)) {
      try Child.spawn(ChildRequest(path: "/nowhere/prog", arguments: []))
    }
  }

  @Test("an exit status and a signal are told apart")
  func status() async throws {
    let seven = try Child.spawn(ChildRequest(path: "/bin/sh", arguments: ["-c", "exit 7"]))
    #expect(await seven.exitStatus() == 7)
    let killed = try Child.spawn(ChildRequest(path: "/bin/sh", arguments: ["-c", "kill -9 $$"]))
    #expect(await killed.exitStatus() == 137)
  }

  @Test("a process is known by pid and start time")
  func identity() async throws {
    let child = try Child.spawn(ChildRequest(path: "/bin/cat", arguments: ["/dev/zero"]))
    let identity = try #require(ProcessIdentity(pid: child.pid))
    #expect(identity.isAlive)
    #expect(!ProcessIdentity(pid: identity.pid, startTime: identity.startTime + 1).isAlive)
    #expect(!ProcessIdentity(pid: identity.pid, startTime: identity.startTime + 1).signal(SIGKILL))
    #expect(identity.signal(SIGKILL))
    #expect(await identity.ended(within: .seconds(10)))
    #expect(await child.exitStatus() == 137)
    #expect(!identity.isAlive)
  }

  @Test("as root, a child dropped to a user has no capabilities and no way back", .enabled(if: geteuid() == 0))
  func dropped() async throws {
    var request = ChildRequest(path: "/bin/cat", arguments: ["/proc/self/status"])
    request.user = (65534, 65534)
    let (text, _) = try await output(of: request)
    let lines = Set(text.split(separator: "\n").map { String($0).split(separator: "\t").joined(separator: " ") })
    for expected in [
      "CapEff: 0000000000000000", "CapPrm: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1",
      "Uid: 65534 65534 65534 65534", "Gid: 65534 65534 65534 65534",
    ] {
      #expect(lines.contains(expected))
    }
  }
}
