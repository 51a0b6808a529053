import Glibc
import Linux
import Testing

/// `paas receive-pack` killed at every stage, and clients that go at every stage: afterwards the repository is sound,
/// its refs are wholly old or wholly new, and the next push clears up.
@Suite("A push that dies", .serialized)
struct ReceiveCrashTests {
  /// Where the receiver stops, and whether the push has happened by then.
  struct Stage: Sendable, CustomTestStringConvertible {
    var checkpoint: String
    var isDecided: Bool
    var testDescription: String { checkpoint }
  }

  static let stages = [
    Stage(checkpoint: "push.quarantine-made", isDecided: false),
    Stage(checkpoint: "push.pack-indexed", isDecided: false),
    Stage(checkpoint: "push.before-hooks", isDecided: false),
    Stage(checkpoint: "push.pack-half-moved", isDecided: false),
    Stage(checkpoint: "push.refs-locked", isDecided: false),
    Stage(checkpoint: "push.refs-decided", isDecided: true),
    Stage(checkpoint: "push.refs-half-moved", isDecided: true),
    Stage(checkpoint: "push.after-refs", isDecided: true),
    Stage(checkpoint: "push.before-report", isDecided: true),
  ]

  @Test("killed, refs few: all old or all new", arguments: stages)
  func few(_ stage: Stage) async throws { try await killed(at: stage, refs: 2) }

  @Test("killed, refs many: all old or all new", arguments: stages)
  func many(_ stage: Stage) async throws { try await killed(at: stage, refs: 40) }

  private func killed(at stage: Stage, refs: Int) async throws {
    let place = try await PushPlace()
    defer { place.remove() }
    let before = try await place.refs()
    let names = (0..<refs).map { "main:refs/heads/new-\($0)" }.joined(separator: " ")
    let mark = "\(place.root)/reached"
    try await place.receiver(environment: "PAAS_CHECKPOINT=\(stage.checkpoint) PAAS_CHECKPOINT_FILE=\(mark)")
    let pushing = try place.start("push --atomic ../server.git +side:main :topic \(names)")
    try await eventually("the receiver stops at \(stage.checkpoint)") {
      Files.exists(mark) && Files.exists("\(place.root)/pid")
    }
    let pid = try #require(Int32(try Files.text("\(place.root)/pid").split(separator: "\n").first ?? ""))
    kill(pid, SIGKILL)
    #expect(await pushing.outcome().status != 0)

    // The next push does what was decided, removes what was not, and is not held up by the dead one's locks.
    try await place.receiver()
    let next = try await place.run("push ../server.git old:main-again +old:refs/heads/topic-again")
    #expect(next.status == 0, "\(next)")
    let after = try await place.refs().filter { !$0.hasSuffix("-again") }
    if stage.isDecided {
      #expect(after.count == refs + 2 && !after.contains { $0.hasSuffix("refs/heads/topic") }, "\(after)")
      #expect(!Set(after).isSuperset(of: before))
    } else {
      #expect(after == before)
    }
    let again = try await place.run("push ../server.git +old:main +old:topic \(names)")
    #expect(again.status == 0, "\(again)")
    try await place.checkIsClean()
  }

  @Test(
    "a client that hangs up leaves nothing behind",
    arguments: ["2", "60", "$commands", "$((commands+4))", "$((all/2))", "$((all-1))"])
  func clientGoes(cut: String) async throws {
    let place = try await PushPlace()
    defer { place.remove() }
    let before = try await place.refs()
    try await place.receiver()
    let outcome = try await place.run(
      """
      head -c 200000 /dev/urandom >noise; git add -A; git commit -q -m noise
      raw "report-status side-band-64k" "$(git rev-parse main~2) $(git rev-parse main) refs/heads/main" >../conversation
      commands=$(($(stat -c %s ../conversation)-4))
      git pack-objects -q --revs --stdout <<<main >>../conversation
      all=$(stat -c %s ../conversation)
      head -c \(cut) ../conversation | "$RECEIVER" ../server.git | wc -c
      """)
    #expect(outcome.out.contains { $0.isNumber }, "\(outcome)")
    #expect(Files.exists("\(place.root)/pid"))
    #expect(try await place.refs() == before)
    try await place.checkIsClean()
  }

  @Test("a client that does not wait for its report has pushed all the same")
  func nobodyListens() async throws {
    let place = try await PushPlace()
    defer { place.remove() }
    try await place.receiver()
    _ = try await place.run(
      """
      (raw "report-status side-band-64k" "$ZERO $(git rev-parse main) refs/heads/new"
      git pack-objects -q --revs --stdout <<<main) | "$RECEIVER" ../server.git | head -c 10
      """)
    #expect(try await place.refs().contains { $0.hasSuffix("refs/heads/new") })
    try await place.checkIsClean()
  }

  @Test("two pushes of one ref: one wins, the other is told", arguments: [["ours", "ours"], ["ours", "git"]])
  func race(receivers: [String]) async throws {
    let place = try await PushPlace()
    defer { place.remove() }
    // Both have seen the refs, and brought their objects, before either may go on.
    try await place.setUp(
      """
      mkdir -p server.git/hooks server.git/meeting
      cat >server.git/hooks/pre-receive <<'HOOK'
      #!/bin/sh
      touch meeting/$$
      for n in $(seq 5000); do [ $(ls meeting | wc -l) -ge 2 ] && exit 0; sleep 0.02; done; exit 1
      HOOK
      chmod +x server.git/hooks/pre-receive
      """)
    try await place.receiver()
    async let first = place.run("push ../server.git main", receiver: receivers[0])
    async let second = place.run("push ../server.git +side:main", receiver: receivers[1])
    let outcomes = try await [first, second]
    #expect(outcomes.map(\.status).sorted() == [0, 1], "\(outcomes)")
    let loser = try #require(outcomes.first { $0.status == 1 })
    #expect(loser.err.contains("(failed to update ref)"), "\(loser)")
    #expect(loser.err.contains("cannot lock ref 'refs/heads/main': "), "\(loser)")
    let won = try await place.run("git rev-parse \(outcomes[0].status == 0 ? "main" : "side")").out
    #expect(try await place.refs().contains { won.hasPrefix($0.prefix(40)) && $0.hasSuffix("refs/heads/main") })
    try await place.checkIsClean()
  }
}

/// A server, a client, and the receiver that pushes go to.
struct PushPlace {
  let root: String

  init() async throws {
    var template = Array("/tmp/paas-push-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError("make a directory in '/tmp'") }
    root = String(cString: made)
    try await setUp(PushStage.base)
  }

  func remove() { try? Files.removeTree(root) }  // a leftover in /tmp fails no test

  func setUp(_ script: String) async throws {
    let outcome = try await Program.run(
      "/bin/bash", ["-ec", script], environment: PushStage.environment, directory: root)
    guard outcome.status == 0 else { throw NotInTime(description: "set-up failed: \(outcome)") }
  }

  /// Writes the program that serves pushes; it leaves its pid.
  func receiver(environment: String = "") async throws {
    for (name, program) in [("ours", "'\(Installation.binary)' receive-pack"), ("git", "git-receive-pack")] {
      try await setUp(PushStage.script("\(root)/\(name)", "echo $$ >'\(root)/pid'", "env \(environment) \(program)"))
    }
  }

  func start(_ act: String, receiver: String = "ours") throws -> RunningProgram {
    let script = """
      RECEIVER='\(root)/\(receiver)'
      push() { git push --receive-pack="$RECEIVER" "$@"; }
      \(PushStage.raw)
      \(act)
      """
    return try Program.start(
      "/bin/bash", ["-c", script], environment: PushStage.environment, directory: "\(root)/client")
  }

  func run(_ act: String, receiver: String = "ours") async throws -> Outcome {
    if !Files.exists("\(root)/\(receiver)") { try await self.receiver() }
    return await (try start(act, receiver: receiver)).outcome()
  }

  /// `ID REF` for each.
  func refs() async throws -> [String] {
    let outcome = try await Program.run(
      "/usr/bin/git", ["for-each-ref", "--format=%(objectname) %(refname)"], environment: PushStage.environment,
      directory: "\(root)/server.git")
    return outcome.out.split(separator: "\n").map(String.init)
  }

  /// Sound, and nothing temporary in it.
  func checkIsClean() async throws {
    let fsck = try await Program.run(
      "/usr/bin/git", ["fsck", "--full", "--strict", "--no-dangling"], environment: PushStage.environment,
      directory: "\(root)/server.git")
    #expect(fsck.status == 0 && !fsck.err.contains("error"), "\(fsck)")
    let left = try await Program.run(
      "/usr/bin/find", [".", "-name", "tmp*", "-o", "-name", "*.lock", "-o", "-name", "paas*"],
      directory: "\(root)/server.git")
    #expect(left.out == "", "\(left.out)")
  }
}
