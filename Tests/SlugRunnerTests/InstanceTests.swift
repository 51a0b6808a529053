import Glibc
import Linux
import Platform
import Testing

@testable import SlugRunner

let webCommand = "exec /usr/bin/python3 -u -m http.server --bind 127.0.0.1 $PORT"

@Suite(.tags(.sandbox), .enabled("no sandbox here") { await SandboxAvailability.current() })
struct InstanceTests {
  @Test("an instance whose port somebody else took while it was up is no longer up, and starts again elsewhere")
  func stolenPort() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let script = """
        exec /usr/bin/python3 -c 'import os, signal, socket
        s = socket.socket(); s.bind(("127.0.0.1", int(os.environ["PORT"]))); s.listen()
        signal.signal(signal.SIGUSR1, lambda *_: s.close())
        while True: signal.pause()'
        """
      let work = try fixture.workload(script, "web", slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      try await engine.booted(work.key, timeout: .seconds(120))
      let before = try await engine.only()
      let port = try #require(before.address?.port)
      kill(try #require(before.pid), SIGUSR1)  // its init forwards it
      #expect(await eventually { !ListeningSockets.accepts(port: port) })
      let thief = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      defer { close(thief) }
      var reuse: Int32 = 1
      setsockopt(thief, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(port).bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      let bound = withUnsafeBytes(of: &address) { bytes in
        bytes.bindMemory(to: sockaddr.self).baseAddress.map { bind(thief, $0, socklen_t(bytes.count)) }
      }
      #expect(bound == 0)
      #expect(Glibc.listen(thief, 1) == 0)
      #expect(
        try await eventually {
          let now = try await engine.only()
          return now.state.isUp && now.address != before.address
        })
    }
  }

  @Test("a web process comes up on its port, with the contract's environment and the slug's profile")
  func web() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let slug = try await fixture.slug(["index.html": "hello", ".profile.d/a.sh": "export FROM_PROFILE=yes\n"])
      let work = try fixture.workload(
        "echo $HOME $DYNO $PORT $PWD $FROM_PROFILE \"$GREETING\" $(id -u); \(webCommand)", "web", slug: slug,
        environment: ["GREETING": "$(rm -rf /) 'x' \"y\"\t\\"])
      try await engine.apply(work)
      try await engine.booted(work.key, timeout: .seconds(120))
      let instance = try await engine.only()
      let port = try #require(instance.address?.port)
      #expect(instance.state.isUp)
      #expect(instance.name == "web.1")
      #expect(ListeningSockets.accepts(port: port))
      #expect(fixture.log(of: instance).first == "/app web.1 \(port) /app yes $(rm -rf /) 'x' \"y\"\t\\ 1000")
      await engine.stop(work.key, grace: .seconds(5))
      #expect(await engine.instances(of: nil).isEmpty)
      #expect(!ListeningSockets.accepts(port: port))
    }
  }

  @Test("a crash at boot gives the status and the app's last lines")
  func crashAtBoot() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let work = try fixture.workload(
        "for i in $(seq 30); do echo line $i; done; echo oh no >&2; exit 3", "web",
        slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      let failure = await #expect(throws: BootFailure.self) {
        try await engine.booted(work.key, timeout: .seconds(120))
      }
      let expected = (12...30).map { "line \($0)" } + ["oh no"]
      #expect(failure == .crashed(instance: "web.1", status: 3, lastLines: expected))
    }
  }

  @Test("a web process that never listens runs into the boot timeout, and its last lines are shown")
  func bootTimeout() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let work = try fixture.workload("echo waiting; sleep 1000", "web", slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      let instance = try await engine.only()
      #expect(await eventually { fixture.log(of: instance) == ["waiting"] })
      let failure = await #expect(throws: BootFailure.self) {
        try await engine.booted(work.key, timeout: .milliseconds(100))
      }
      #expect(failure == .timeout(instance: "web.1", after: .milliseconds(100), lastLines: ["waiting"]))
    }
  }

  @Test("somebody else's socket on the instance's port does not make it up")
  func impostor() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let connect = """
        python3 -c 'import os, socket; socket.create_connection(("127.0.0.1", int(os.environ["PORT"])))'
        """
      let work = try fixture.workload(
        "until \(connect); do sleep 0.05; done; "
          + "until python3 -m http.server --bind 127.0.0.1 $PORT; do sleep 0.05; done",
        "web", slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      let instance = try await engine.only()
      let port = try #require(instance.address?.port)
      let impostor = try listen(on: port)
      #expect(ListeningSockets.accepts(port: port))
      await #expect(throws: BootFailure.self) { try await engine.booted(work.key, timeout: .milliseconds(300)) }
      close(impostor)
      try await engine.booted(work.key, timeout: .seconds(120))
    }
  }

  @Test("an instance that was up and crashes is started again with an empty disk, the same id and the same address")
  func restart() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let work = try fixture.workload(
        "ls; touch left-over; \(webCommand)", "web", slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      try await engine.booted(work.key, timeout: .seconds(120))
      let before = try await engine.only()
      let events = await engine.events()
      kill(try #require(before.pid), SIGKILL)
      var seen: [Instance.State] = []
      for await event in events {
        seen.append(event.instance.state)
        if event.instance.state.isUp { break }
      }
      guard case .crashed(status: 137, at: _) = seen.first else { throw Unexpected(seen) }
      let after = try await engine.only()
      #expect(after.id == before.id)
      #expect(after.address == before.address)
      #expect(after.pid != before.pid)
      #expect(fixture.log(of: after).filter { $0 == "a" }.count == 2)
      #expect(!fixture.log(of: after).contains("left-over"))
    }
  }

  @Test("stopping lets a process finish, even below a shell that only waits for it")
  func gracefulStop() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let script = """
        import signal, sys, time
        def finish(*_): print("finishing"); time.sleep(0.3); print("finished"); sys.exit(0)
        signal.signal(signal.SIGTERM, finish)
        print("ready")
        while True: signal.pause()
        """
      let work = try fixture.workload(
        "/usr/bin/python3 -u app.py; echo shell done", slug: try await fixture.slug(["app.py": script]))
      try await engine.apply(work)
      let instance = try await engine.only()
      #expect(await eventually { fixture.log(of: instance) == ["ready"] })
      await engine.stop(work.key, grace: .seconds(10))
      #expect(fixture.log(of: instance) == ["ready", "finishing", "finished", "shell done"])
    }
  }

  @Test("a process that ignores SIGTERM is killed after the grace time, and so is a grandchild in its own session")
  func stubborn() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let marker = "77\(UInt32.random(in: 100_000...999_999))"
      let work = try fixture.workload(
        "trap '' TERM; setsid sleep \(marker) & echo ready; while true; do sleep 1; done",
        slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      let instance = try await engine.only()
      #expect(await eventually { fixture.log(of: instance) == ["ready"] })
      let start = ContinuousClock.now
      await engine.stop(work.key, grace: .milliseconds(500))
      let took = start.duration(to: .now)
      #expect(took >= .milliseconds(500))  // and not without end: the process ignores everything but the kill
      #expect(!commandLines().contains { $0.contains(marker) })
    }
  }

  @Test("scaling starts what is missing, stops what is too much, and leaves the others alone")
  func scale() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      var work = try fixture.workload("exec sleep 1000", quantity: 2, slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      let two = await engine.instances(of: fixture.app)
      #expect(two.map(\.name).sorted() == ["worker.1", "worker.2"])
      work.quantity = 3
      try await engine.apply(work)
      try await engine.apply(work)
      let three = await engine.instances(of: fixture.app)
      #expect(three.count == 3)
      #expect(Set(three.compactMap(\.pid)).isSuperset(of: two.compactMap(\.pid)))
      work.quantity = 1
      try await engine.apply(work)
      #expect(try await engine.only().pid == two.first { $0.index == 1 }?.pid)
    }
  }

  private func listen(on port: Int) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    try withUnsafeBytes(of: &address) { bytes in
      let base = try #require(bytes.bindMemory(to: sockaddr.self).baseAddress)
      try checked("bind") { bind(descriptor, base, socklen_t(bytes.count)) }
    }
    try checked("listen") { Glibc.listen(descriptor, 8) }
    return descriptor
  }
}

struct Unexpected: Error {
  var value: String
  init(_ value: Any) { self.value = "\(value)" }
}

func commandLines() -> [String] {
  let pids = ((try? Files.names(in: "/proc")) ?? []).filter { Int32($0) != nil }
  return pids.map { (try? Files.text("/proc/\($0)/cmdline")) ?? "" }
}
