import Glibc
import Linux
import Platform
import Sandbox
import Testing

@testable import SlugRunner

@Suite(.tags(.sandbox), .enabled("no sandbox here") { await SandboxAvailability.current() })
struct SurvivalTests {
  @Test("a new engine adopts the instances of a dead one: same pids, exits noticed, restarts made, stop works")
  func adopt() async throws {
    try await withFixture { fixture in
      let work = try fixture.workload(webCommand, "web", quantity: 2, slug: try await fixture.slug(["a": ""]))
      var before: [Instance] = []
      do {
        let first = fixture.engine()
        try await first.apply(work)
        try await first.booted(work.key, timeout: .seconds(120))
        before = await first.instances(of: nil)
      }
      let second = fixture.engine()
      await second.adopt()
      #expect(await second.instances(of: nil) == before)
      try await second.apply(work)  // the server says it again: nothing changes
      #expect(await second.instances(of: nil) == before)
      let victim = try #require(before.first)
      kill(try #require(victim.pid), SIGKILL)
      #expect(await eventually { await second.instances(of: nil).first { $0.id == victim.id }?.state.isUp == false })
      #expect(await eventually { await second.instances(of: nil).first { $0.id == victim.id }?.state.isUp == true })
      await second.stop(work.key, grace: .seconds(5))
      #expect(await second.instances(of: nil).isEmpty)
      #expect(!before.contains { ListeningSockets.accepts(port: $0.address?.port ?? 0) })
    }
  }

  @Test("an instance that ended while no engine ran is found crashed and started again")
  func endedMeanwhile() async throws {
    try await withFixture { fixture in
      let work = try fixture.workload("exec sleep 1000", slug: try await fixture.slug(["a": ""]))
      var pid: Int32 = 0
      do {
        let first = fixture.engine()
        try await first.apply(work)
        try await first.booted(work.key, timeout: .seconds(120))
        pid = try #require(try await first.only().pid)
      }
      let process = try #require(ProcessIdentity(pid: pid))
      process.signal(SIGKILL)
      #expect(await process.ended(within: .seconds(120)))
      let second = fixture.engine()
      await second.adopt()
      #expect(
        try await eventually {
          let now = try await second.only()
          return now.state.isUp && now.pid != pid
        })
    }
  }

  @Test("an instance whose record cannot be read is left alone, and found again when it can")
  func unreadableRecord() async throws {
    try await withFixture { fixture in
      let work = try fixture.workload("exec sleep 1000", slug: try await fixture.slug(["a": ""]))
      let first = fixture.engine()
      try await first.apply(work)
      try await first.booted(work.key, timeout: .seconds(120))
      let before = try await first.only()
      let path = "\(fixture.data)/engine/instances/\(before.id)/instance.json"
      let record = try Files.text(path)
      try writeFile("{}", path)
      let second = fixture.engine()
      await second.adopt()
      #expect(await second.instances(of: nil).isEmpty)
      #expect(await fixture.sandbox.list().count == 1)
      #expect(ProcessIdentity(pid: try #require(before.pid))?.isAlive == true)
      try writeFile(record, path)
      let third = fixture.engine()
      await third.adopt()
      #expect(try await third.only() == before)
    }
  }

  @Test("a flipped bit in the slug is noticed before a launch, also when it is unpacked already")
  func flippedBit() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let slug = try await fixture.slug(["a": "content"])
      try await engine.prepare(app: fixture.app, slug: slug)
      let path = "\(fixture.data)/slugs/\(slug.digest)"
      var bytes = try Files.read(path)
      bytes[700] ^= 1
      try Files.writeDurably(bytes, to: path)
      let work = try fixture.workload("sleep 1", slug: slug)
      await #expect(throws: BootFailure.slugDamaged(slug.digest)) { try await engine.apply(work) }
      unlink(path)
      await #expect(throws: BootFailure.slugMissing(slug.digest)) { try await engine.apply(work) }
      #expect(await engine.instances(of: nil).isEmpty)
    }
  }

  @Test("a slug that cannot be unpacked fails with the worker's words and leaves nothing")
  func badSlug() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let slug = try await fixture.slug(["a": "content"])
      let program = "#!/bin/sh\necho cannot unpack this >&2; exit 4\n"
      try writeProgram(program, to: fixture.temporary.path + "/program")
      let failure = await #expect(throws: BootFailure.self) { try await engine.prepare(app: fixture.app, slug: slug) }
      #expect("\(String(describing: failure))".contains("cannot unpack this (status 4)"))
      #expect(try Files.names(in: "\(fixture.data)/engine/unpacked/\(fixture.app)").isEmpty)
    }
  }

  @Test("two installations on one machine do not see each other")
  func twoInstallations() async throws {
    try await withFixture { one in
      try await withFixture { two in
        let work = try one.workload("exec sleep 1000", slug: try await one.slug(["a": ""]))
        let first = one.engine()
        try await first.apply(work)
        let second = two.engine()
        await second.adopt()  // sweeps what it does not know
        #expect(await second.instances(of: nil).isEmpty)
        #expect(await two.sandbox.list().isEmpty)
        #expect(await one.sandbox.list().count == 1)
        let pid = try #require(try await first.only().pid)
        #expect(ProcessIdentity(pid: pid)?.isAlive == true)
      }
    }
  }

  @Test("an instance whose conmon was killed is ended and started again")
  func monitorKilled() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let work = try fixture.workload("exec sleep 1000", slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      try await engine.booted(work.key, timeout: .seconds(120))
      let before = try await engine.only()
      let monitor = try Files.text("\(fixture.data)/engine/instances/\(before.id)/monitor.pid")
      let identity = try #require(Int32(monitor.filter(\.isNumber)).flatMap { ProcessIdentity(pid: $0) })
      identity.signal(SIGKILL)
      #expect(await identity.ended(within: .seconds(120)))
      await engine.maintainOnce()
      #expect(
        try await eventually {
          let now = try await engine.only()
          return now.state.isUp && now.pid != before.pid
        })
    }
  }

  @Test("a log above the limit is rotated without losing a line, and goes on")
  func rotation() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let work = try fixture.workload(
        "seq -f '%.0f 01234567890123456789012345678901234567890123456789' 110000; i=110000; "
          + "while true; do i=$((i+1)); echo $i; sleep 0.01; done", slug: try await fixture.slug(["a": ""]))
      try await engine.apply(work)
      let instance = try await engine.only()
      let path = "\(fixture.data)/logs/\(fixture.app)/\(instance.name).\(instance.id).log"
      #expect(await eventually { size(path) > 10 << 20 && fixture.log(of: instance).last?.count == 6 })
      await engine.maintainOnce()
      #expect(size(path + ".1") > 10 << 20)
      #expect(await eventually { fixture.log(of: instance).count > 5 })
      let all = try Files.text(path + ".1", limit: 64 << 20) + Files.text(path)
      let numbers = LogFile.lines(in: all).compactMap { $0.split(separator: " ").first.flatMap { Int($0) } }
      #expect(zip(numbers, 1...).first { $0 != $1 } == nil)
    }
  }

  private func size(_ path: String) -> Int {
    var info = stat()
    return stat(path, &info) == 0 ? Int(info.st_size) : 0
  }
}
