import Linux
import Platform
import Testing

extension EndToEnd {
  @Suite(
    "A push that fails changes nothing", .tags(.sandbox), .enabled("needs a sandbox", { await SandboxHere.available() })
  )
  struct FailureTests {
    struct Failure: Sendable, CustomTestStringConvertible {
      var name: String
      var code: String
      /// Something of the app's or the buildpack's own last lines.
      var evidence: String
      var break_: @Sendable (Source) throws -> Void
      var testDescription: String { name }
    }

    static let failures = [
      Failure(name: "a failed build", code: "B02", evidence: "no-such-directory") { source in
        try Files.removeTree(source.directory + "/package.json")
        try source.write("requirements.txt", "./no-such-directory\n")
      },
      Failure(name: "a failed detection", code: "B01", evidence: "") { source in
        for file in ["package.json", "server.js", "Procfile"] { try Files.removeTree(source.directory + "/" + file) }
        try source.write("readme.txt", "nothing to see")
      },
      Failure(name: "a crash at boot", code: "H10", evidence: "crashing on purpose") {
        try $0.write("server.js", "console.error('crashing on purpose'); process.exit(1)")
      },
      Failure(name: "a boot timeout", code: "R10", evidence: "never listening") {
        try $0.write("server.js", "console.log('never listening'); setInterval(() => {}, 1000)")
      },
    ]

    @Test("the old release serves every one of 50 requests a second through", arguments: failures)
    func oldReleaseServes(_ failure: Failure) async throws {
      // Long enough for node to start on a loaded machine, and waited for in one case of the four.
      try await Installation.with(["--boot-timeout", failure.code == "R10" ? "30" : "300"]) { paas in
        let source = try await Source.node("steady", answering: "old", in: paas)
        try await source.deploy()
        let tip = try await source.remoteTip()
        let load = Load(host: "steady.localhost", port: try await paas.port("http"))
        try await eventually("some requests before") { load.count > 25 }

        try failure.break_(source)
        try await source.commit("broken")
        let pushed = try await source.push()

        #expect(pushed.status != 0, "\(pushed)")
        #expect(pushed.err.contains("(\(failure.code))"), "\(pushed)")
        #expect(pushed.err.contains(failure.evidence), "\(pushed)")
        #expect(pushed.err.contains("Push rejected to steady"), "\(pushed)")
        #expect(pushed.err.contains("! [remote rejected] main -> main (\(failure.code): "), "\(pushed)")
        #expect(try await source.remoteTip() == tip)
        let after = load.count
        try await eventually("some requests after") { load.count > after + 25 }
        let result = await load.stop()
        #expect(
          result.failures.isEmpty, "\(result.failures.count) of \(result.answers.count): \(result.failures.prefix(3))")
        #expect(result.bodies() == ["old"])
      }
    }

    @Test("a good deploy and a rollback lose no request of 50 a second")
    func goodDeploy() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("steady", answering: "old", in: paas)
        try await source.deploy()
        let load = Load(host: "steady.localhost", port: try await paas.port("http"))
        try await eventually("some requests before") { load.count > 25 }
        try source.answer("new")
        try await source.commit("new")
        try await source.deploy()
        try await eventually("the new version answers") { try await paas.get(app: "steady")?.body == "new" }
        #expect(try await paas.paas(["releases:rollback", "-a", "steady"]).status == 0)
        try await eventually("the old version answers again") { try await paas.get(app: "steady")?.body == "old" }
        let after = load.count
        try await eventually("some requests after") { load.count > after + 25 }
        let result = await load.stop()
        #expect(
          result.failures.isEmpty, "\(result.failures.count) of \(result.answers.count): \(result.failures.prefix(3))")
        #expect(result.bodies() == ["old", "new"])
      }
    }

    @Test("the operator's pre-deploy hook can refuse, and what it prints reaches the pusher")
    func hook() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("hooked", answering: "old", in: paas)
        try await source.deploy()
        try writeProgram(
          "#!/bin/sh\necho \"no deploys on fridays\"\ngrep -q '\"app\"' && exit 1\n",
          to: paas.data + "/hooks/pre-deploy.d/10-friday")
        try source.answer("new")
        try await source.commit("new")
        let refused = try await source.push()
        #expect(refused.status != 0 && refused.err.contains("no deploys on fridays"), "\(refused)")
        #expect(refused.err.contains("(B05)"), "\(refused)")
        #expect(try await paas.get(app: "hooked")?.body == "old")
        try Files.removeTree(paas.data + "/hooks/pre-deploy.d/10-friday")
        try await source.deploy()
        #expect(try await paas.get(app: "hooked")?.body == "new")
      }
    }
  }
}
