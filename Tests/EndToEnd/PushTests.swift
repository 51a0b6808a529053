import Linux
import Testing

extension EndToEnd {
  @Suite("git push goes live", .tags(.sandbox), .enabled("needs a sandbox", { await SandboxHere.available() }))
  struct PushTests {
    struct Example: Sendable, CustomTestStringConvertible {
      var name: String
      var detected: String
      var testDescription: String { name }
    }

    static let examples = [
      Example(name: "python", detected: "Python"), Example(name: "node", detected: "Node"),
      Example(name: "ruby", detected: "Ruby"),
    ]

    @Test("an example is detected, built, released, served and managed", arguments: examples)
    func example(_ example: Example) async throws {
      try await Installation.with { paas in
        let app = "hello-\(example.name)"
        let source = try await Source.example(example.name, as: app, in: paas)
        let pushed = try await source.deploy()
        #expect(pushed.err.contains("remote: -----> \(example.detected)"), "\(pushed)")
        #expect(pushed.err.contains("remote:        Released v1"), "\(pushed)")
        #expect(pushed.err.contains("http://\(app).localhost:"), "\(pushed)")
        #expect(try await source.remoteTip() == source.head())
        #expect(try await source.serverGit(["fsck", "--strict"]).status == 0)

        try await serves("Hello", app, paas)
        try await logs(app, paas)
        try await scales(app, paas)
        try await configures(app, paas)
        try await runs(app, paas)
        try await destroys(source, paas)
      }
    }

    private func serves(_ text: String, _ app: String, _ paas: Installation) async throws {
      let answer = try await paas.get(app: app)
      #expect(answer?.status == 200)
      #expect(answer?.body.contains(text) == true, "\(String(describing: answer))")
    }

    private func logs(_ app: String, _ paas: Installation) async throws {
      let following = try Program.start(
        Installation.binary, ["logs", "-t", "-a", app], environment: paas.environment, user: paas.user)
      try await eventually("a request's router line reaches logs -t") {
        _ = try await paas.get("/for-the-log", app: app)
        return following.out.text.contains("paas[router]") && following.out.text.contains("path=\"/for-the-log\"")
      }
      following.child.signal(15)
      _ = await following.outcome()
    }

    private func scales(_ app: String, _ paas: Installation) async throws {
      let scaled = try await paas.paas(["ps:scale", "web=2", "-a", app])
      #expect(scaled.status == 0, "\(scaled)")
      let ps = try await paas.paas(["ps", "-a", app])
      #expect(ps.out.contains("=== web: ") && ps.out.contains("(2)"), "\(ps)")
      #expect(ps.out.contains("web.1: up ") && ps.out.contains("web.2: up "), "\(ps)")
    }

    private func configures(_ app: String, _ paas: Installation) async throws {
      let value = #" Grüße, "Welt" 'und' $HOME \n | & ; "# + "\n zweite Zeile\t!"
      let set = try await paas.paas(["config:set", "GREETING=\(value)", "-a", app])
      #expect(set.status == 0, "\(set)")
      #expect((set.out + set.err).contains("done, v2"), "\(set)")
      #expect(try await paas.paas(["config:get", "GREETING", "-a", app]).out == value + "\n")
      let seen = try await paas.paas(["run", "-a", app, "--", "printenv", "GREETING"])
      #expect(seen.out == value + "\n", "\(seen)")
      try await serves("Welt", app, paas)
    }

    private func runs(_ app: String, _ paas: Installation) async throws {
      let env = try await paas.paas(["run", "-a", app, "env"])
      for expected in ["HOME=/app", "PAAS_APP=\(app)", "PAAS_RELEASE_VERSION=v2", "DYNO=run."] {
        #expect(env.out.contains(expected), "\(env)")
      }
      #expect(!env.out.contains("PAAS_DATA"), "the server's environment reached the app: \(env)")
      #expect(try await paas.paas(["run", "-a", app, "--", "sh", "-c", "exit 3"]).status == 3)
      let piped = try await paas.paas(["run", "-a", app, "cat"], input: "through\n")
      #expect(piped.out == "through\n", "\(piped)")
    }

    private func destroys(_ source: Source, _ paas: Installation) async throws {
      #expect(try await paas.paas(["apps:destroy", "-a", source.app]).status != 0, "destroyed without --confirm")
      let destroyed = try await paas.paas(["apps:destroy", "-a", source.app, "--confirm", source.app])
      #expect(destroyed.status == 0, "\(destroyed)")
      #expect(try await paas.paas(["apps:info", "-a", source.app]).status == 3)
      try await eventually("the destroyed app is served no more") {
        try await paas.get(app: source.app)?.status == 404
      }
    }

    @Test("a changed version goes live, a rollback brings the old page back, and git says what is live")
    func rollback() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("back", answering: "one", in: paas)
        try await source.deploy()
        try source.answer("two")
        try await source.commit("second")
        try await source.deploy()
        #expect(try await paas.get(app: "back")?.body == "two")
        let rolled = try await paas.paas(["releases:rollback", "-a", "back"])
        #expect(
          rolled.status == 0 && (rolled.out + rolled.err).contains("Rolling back back to v1... done, v3"), "\(rolled)")
        #expect(try await paas.get(app: "back")?.body == "one")
        let list = try await paas.paas(["releases", "-a", "back"])
        #expect(list.out.contains("=== back Releases - Current: v3"), "\(list)")
        let again = try await source.push()
        #expect(again.status == 0 && again.err.contains("v3"), "the push says which release is live: \(again)")
      }
    }

    @Test("config:set before the first push is v1, the push v2")
    func configFirst() async throws {
      try await Installation.with { paas in
        #expect(try await paas.paas(["apps:create", "early"]).status == 0)
        let set = try await paas.paas(["config:set", "A=1", "-a", "early"])
        #expect(set.status == 0 && (set.out + set.err).contains("v1"), "\(set)")
        let source = try await Source.node("early", answering: "hi", in: paas)
        let pushed = try await source.deploy()
        #expect(pushed.err.contains("Released v2"), "\(pushed)")
      }
    }

    @Test("other branches are refused with the command that deploys them; tags are kept")
    func otherBranches() async throws {
      try await Installation.with { paas in
        let source = try await Source.node("refs", answering: "hi", in: paas)
        try await source.deploy()
        let other = try await source.push(["main:feature"])
        #expect(other.status != 0 && other.err.contains("git push paas feature:main"), "\(other)")
        try await paas.git(["tag", "t1"], in: source.directory)
        let tag = try await source.push(["t1"])
        #expect(tag.status == 0, "\(tag)")
        let deleted = try await source.push([":main"])
        #expect(deleted.status != 0, "the deploy branch was deleted: \(deleted)")
        #expect(try await source.remoteTip() == source.head())
      }
    }
  }
}
