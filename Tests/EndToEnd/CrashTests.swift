import Glibc
import Linux
import Platform
import Testing
import Wire

extension EndToEnd {
  @Suite(
    "kill -9 anywhere ends wholly old or wholly new", .tags(.sandbox),
    .enabled("needs a sandbox", { await SandboxHere.available() }))
  struct CrashTests {
    private func pids(_ app: String, _ paas: Installation) async throws -> Set<Int32> {
      Set(try await paas.json([DynoResource].self, ["ps", "-a", app]).compactMap(\.pid))
    }

    @Test("the server is killed under load: same instances, no request lost, releases intact, adopted")
    func serverUnderLoad() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("steady", answering: "old", in: paas)
        try await source.deploy()
        let before = try await pids("steady", paas)
        let releases = try await paas.paas(["releases", "-a", "steady"]).out
        let load = Load(host: "steady.localhost", port: try await paas.port("http"))
        try await eventually("some requests before") { load.count > 25 }
        let platform = try await paas.json(PlatformResource.self, ["platform"])
        let receiver = try #require(platform.receiver_pid.flatMap { ProcessIdentity(pid: $0) })
        try await paas.killServer()
        #expect(await receiver.ended(within: .seconds(120)), "a receiver outlived its server")
        let killed = load.count
        try await eventually("requests without a server") { load.count > killed + 50 }
        try await paas.start()
        #expect(!before.isEmpty)
        #expect(try await pids("steady", paas) == before)
        #expect(try await paas.paas(["releases", "-a", "steady"]).out == releases)
        let after = load.count
        try await eventually("requests after") { load.count > after + 25 }
        let result = await load.stop()
        #expect(
          result.failures.isEmpty, "\(result.failures.count) of \(result.answers.count): \(result.failures.prefix(3))")
        try source.answer("new")
        try await source.commit("new")
        try await source.deploy()
        #expect(try await paas.get(app: "steady")?.body == "new")
      }
    }

    struct Point: Sendable, CustomTestStringConvertible {
      var process: String
      var checkpoint: String
      /// What must be live in the end.
      var outcome: String
      var testDescription: String { "\(process) at \(checkpoint)" }
    }

    static let points = [
      Point(process: "server", checkpoint: "deploy.before-commit", outcome: "old"),
      Point(process: "server", checkpoint: "deploy.after-commit", outcome: "new"),
      Point(process: "server", checkpoint: "deploy.after-switch", outcome: "new"),
      Point(process: "receiver", checkpoint: "push.before-keep", outcome: "either"),
      Point(process: "receiver", checkpoint: "push.before-ref", outcome: "new"),
      Point(process: "receiver", checkpoint: "push.after-ref", outcome: "new"),
    ]

    @Test("ledger, ref and page agree after a kill", arguments: points)
    func killedAt(_ point: Point) async throws {
      try await Installation.with { paas in
        let source = try await Source.node("crash", answering: "old", in: paas)
        try await source.deploy()
        let oldTip = try await source.head()
        try await paas.killServer()
        let file = paas.scratch + "/reached"
        if let user = paas.user { chown(paas.scratch, user.uid, user.gid) } else { chmod(paas.scratch, 0o777) }
        try await paas.start(environment: ["PAAS_CHECKPOINT": point.checkpoint, "PAAS_CHECKPOINT_FILE": file])

        try source.answer("new")
        try await source.commit("new")
        let environment = try await paas.gitEnvironment()
        let push = try Program.start(
          "/usr/bin/git", ["push", "paas", "main"], environment: environment, directory: source.directory)
        try await eventually("\(point.checkpoint) is reached") { Files.exists(file) }
        try await kill(point.process, paas)
        if point.process == "server" {
          _ = await push.outcome()
          try await paas.start()
        }
        try await agree(point, source, oldTip: oldTip, paas)
        _ = await push.outcome()
      }
    }

    private func kill(_ process: String, _ paas: Installation) async throws {
      guard process == "receiver" else { return try await paas.killServer() }
      let platform = try await paas.json(PlatformResource.self, ["platform"])
      let receiver = try #require(platform.receiver_pid.flatMap { ProcessIdentity(pid: $0) })
      receiver.signal(SIGKILL)
      #expect(await receiver.ended(within: .seconds(120)))
    }

    private func agree(_ point: Point, _ source: Source, oldTip: String, _ paas: Installation) async throws {
      let newTip = try await source.head()
      var seen = ""
      do {
        try await eventually("ledger, ref and page agree on \(point.outcome)") {
          let page = try await paas.get(app: "crash")?.body ?? ""
          let tip = try await source.remoteTip()
          let releases = try await paas.json([ReleaseResource].self, ["releases", "-a", "crash"])
          let live = releases.first(where: \.current)?.commit ?? ""
          seen = "page \(page), ref \(tip.prefix(7)), ledger \(live.prefix(7))"
          let wholly = (
            old: page == "old" && tip == oldTip && live == oldTip, new: page == "new" && tip == newTip && live == newTip
          )
          return switch point.outcome {
          case "old": wholly.old
          case "new": wholly.new
          default: wholly.old || wholly.new
          }
        }
      } catch {
        throw NotInTime(description: "\(error); last seen: \(seen)")
      }
      try source.answer("next")
      try await source.commit("next")
      try await source.deploy()
      #expect(try await paas.get(app: "crash")?.body == "next", "the app cannot be deployed any more")
    }

    @Test("without repository, build directory and cache, restart and rollback still work from slugs alone")
    func slugsAlone() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("slugs", answering: "one", in: paas)
        try await source.deploy()
        try source.answer("two")
        try await source.commit("two")
        try await source.deploy()
        let info = try await paas.json(AppResource.self, ["apps:info", "-a", "slugs"])
        for path in ["receiver/repositories/\(info.id).git", "cache/\(info.id)"] {
          try Files.removeTree("\(paas.data)/\(path)")
        }
        for build in try Files.names(in: paas.data + "/builds") { try Files.removeTree(paas.data + "/builds/" + build) }
        try Files.removeTree(paas.data + "/engine/unpacked")
        try Files.makeDirectory(paas.data + "/engine/unpacked", mode: 0o711)
        let restarted = try await paas.paas(["ps:restart", "-a", "slugs"])
        #expect(restarted.status == 0, "\(restarted)")
        #expect(try await paas.get(app: "slugs")?.body == "two")
        let rolled = try await paas.paas(["releases:rollback", "v1", "-a", "slugs"])
        #expect(rolled.status == 0, "\(rolled)")
        #expect(try await paas.get(app: "slugs")?.body == "one")
      }
    }

    @Test("the slug on disk has the SHA-256 of releases:info, and a flipped bit in it is found before launch")
    func flippedBit() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("bits", answering: "one", in: paas)
        try await source.deploy()
        let release = try await paas.json(ReleaseResource.self, ["releases:info", "v1", "-a", "bits"])
        let digest = try #require(release.slug?.id)
        let path = "\(paas.data)/slugs/\(digest.prefix(2))/\(digest).tar.zst"
        let sum = try await Program.run("/usr/bin/sha256sum", [path])
        #expect(sum.out.hasPrefix(digest + " "), "\(sum)")
        var bytes = try Files.read(path)
        bytes[bytes.count / 2] ^= 1
        try Files.writeDurably(bytes, to: path, mode: 0o644)
        let restarted = try await paas.paas(["ps:restart", "-a", "bits"])
        #expect(restarted.status == 1 && restarted.err.contains("R17"), "\(restarted)")
        #expect(try await paas.get(app: "bits")?.body == "one", "the running instance was touched")
      }
    }
  }
}
