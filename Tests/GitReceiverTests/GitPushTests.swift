import CLinux
import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Testing
import Wire

@testable import GitReceiver

@Suite("git push, with the real client")
struct GitPushTests {
  @Test(
    "a push deploys: objects checked, tar sent, build output shown, ref moved", arguments: [GitProtocolVersion.v0, .v1])
  func deploys(version: GitProtocolVersion) async throws {
    let bench = try await PushBench()
    bench.server.state.withLock { $0.created = true }
    let head = try await bench.git("rev-parse", "HEAD").line
    let outcome = try await bench.push("main", version: version)
    #expect(outcome.client.status == 0, "\(outcome.client.errors)")
    #expect(outcome.status == 0)
    #expect(outcome.client.errors.contains("remote: -----> Created app hello"))
    #expect(outcome.client.errors.contains("remote: -----> Building"))
    #expect(outcome.client.errors.contains("[new branch]"))
    #expect(try await bench.bare("rev-parse", "HEAD").line == head)
    try await bench.bare("fsck", "--strict", "--full", "--no-dangling")
    #expect(try bench.quarantines.isEmpty)
    let build = try #require(bench.server.state.withLock { $0.builds.first })
    #expect(build.ref.description == "refs/heads/main" && build.old == .zero && build.new.description == head)
    #expect(build.subject == "commit 2")
    #expect(bench.server.state.withLock { $0.outcomes } == [.applied])
    let listing = try await bench.git.result(["-tf", bench.server.tarPath], program: "/usr/bin/tar")
    #expect(listing.text.split(separator: "\n").contains("long.txt"))
  }

  @Test("later pushes send thin packs and move on, also by force")
  func again() async throws {
    let bench = try await PushBench(history: 8)
    #expect(try await bench.push("main").client.status == 0)
    try bench.git.write("long.txt", try Files.text("\(bench.git.directory)/long.txt") + "\none more line")
    let head = try await bench.git.commit("one line")
    let outcome = try await bench.push("--thin", "main")
    #expect(outcome.client.status == 0, "\(outcome.client.errors)")
    #expect(try await bench.bare("rev-parse", "main").line == head)
    try await bench.git("reset", "-q", "--hard", "HEAD~3")
    #expect(try await bench.push("main").client.errors.contains("non-fast-forward"))
    #expect(try await bench.push("--force", "main").client.status == 0)
    #expect(try await bench.bare("rev-parse", "main").line == bench.git("rev-parse", "HEAD").line)
    try await bench.bare("fsck", "--strict", "--full", "--no-dangling")
  }

  @Test("a failed build rejects the ref with code and reason, and leaves nothing behind")
  func failedBuild() async throws {
    let bench = try await PushBench()
    bench.server.state.withLock { $0.ending = .failed(.noBuildpack, "no buildpack recognises the source") }
    let outcome = try await bench.push("main")
    #expect(outcome.client.status == 1)
    #expect(
      outcome.client.errors.contains("! [remote rejected] main -> main (B01: no buildpack recognises the source)"))
    #expect(outcome.client.errors.contains("remote:  !     Push rejected to hello."))
    #expect(try await bench.bare("for-each-ref").text.isEmpty)
    #expect(try bench.quarantines.isEmpty)
  }

  @Test("a server that dies under a build rejects the push and keeps the objects for its return")
  func serverLost() async throws {
    let bench = try await PushBench()
    bench.server.state.withLock { $0.ending = .lost }
    let outcome = try await bench.push("main")
    #expect(outcome.client.errors.contains("(H99: "))
    let build = try #require(bench.server.state.withLock { $0.builds.first })
    #expect(try bench.quarantines == ["\(build.push)"])
    // It comes back, and had committed.
    try bench.repositories.keepObjects(app: bench.server.app.id, push: build.push, new: build.new)
    bench.server.state.withLock {
      $0.ending = .committed
      $0.tip = build.new
      $0.pending = [RefUpdate(app: bench.server.app.id, build: BuildID(), ref: build.ref, old: .zero, new: build.new)]
    }
    let again = try await bench.push("main")
    #expect(again.client.errors.contains("Everything up-to-date"))
    #expect(try await bench.bare("rev-parse", "main").line == build.new.description)
  }

  @Test("a build that the server does not take rejects the push with the server's reason")
  func buildRefused() async throws {
    let bench = try await PushBench()
    let error = APIError(id: "locked", message: "'hello' is locked", next: "paas apps:unlock -a hello")
    bench.server.state.withLock { $0.ending = .refused(error) }
    let outcome = try await bench.push("main")
    #expect(outcome.client.errors.contains("'hello' is locked; paas apps:unlock -a hello"))
    #expect(outcome.client.status == 1)
    #expect(try bench.quarantines.isEmpty)
  }

  @Test("a build that never reached the server leaves nothing behind; one that may have does")
  func buildUnreached() async throws {
    let bench = try await PushBench()
    bench.server.state.withLock { $0.ending = .unreached }
    let outcome = try await bench.push("main")
    #expect(outcome.client.errors.contains("(H99: "))
    #expect(try bench.quarantines.isEmpty)
    bench.server.state.withLock { $0.ending = .unanswered }
    #expect(try await bench.push("main").client.errors.contains("(H99: "))
    #expect(try bench.quarantines.count == 1)
  }

  @Test("who may not push is told so before anything is sent")
  func forbidden() async throws {
    let bench = try await PushBench()
    bench.server.state.withLock { $0.isUnknown = true }
    let outcome = try await bench.push("main")
    #expect(outcome.client.errors.contains("remote error: you may not push to 'hello'; ask its owner"))
    #expect(outcome.status == 1)
  }

  @Test("pushing what is the tip says what is live")
  func upToDate() async throws {
    let bench = try await PushBench()
    #expect(try await bench.push("main").client.status == 0)
    let outcome = try await bench.push("main")
    #expect(outcome.client.errors.contains("Everything up-to-date"))
    #expect(outcome.notes.contains("Release v3 is live, with this commit"))
    #expect(outcome.notes.contains("git commit --allow-empty"))
    #expect(outcome.status == 0)
  }

  @Test("another branch is refused with the command that would deploy it, and the pack is drained")
  func otherBranch() async throws {
    let bench = try await PushBench()
    let noise = (0..<400_000).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36) }.joined()
    try bench.git.write("noise", noise)
    try await bench.git.commit("5 MB that do not compress")
    let outcome = try await bench.push("main:feature")
    #expect(outcome.client.errors.contains("git push paas feature:main"))
    #expect(outcome.client.status == 1)
    #expect(outcome.status == 0)
  }

  @Test("tags beside a failed deploy are kept, and with --atomic they are not")
  func tags() async throws {
    let bench = try await PushBench()
    try await bench.git("tag", "-a", "v1", "-m", "one")
    bench.server.state.withLock { $0.ending = .failed(.buildFailed, "no") }
    let atomic = try await bench.push("--atomic", "main", "v1")
    #expect(atomic.client.errors.contains("v1 -> v1 (atomic push failed)"))
    #expect(try await bench.bare("for-each-ref").text.isEmpty)
    let outcome = try await bench.push("main", "v1")
    #expect(outcome.client.errors.contains("* [new tag]         v1 -> v1"))
    #expect(try await bench.bare("rev-parse", "v1^{}").line == bench.git("rev-parse", "HEAD").line)
    bench.server.state.withLock { $0.ending = .committed }
    #expect(try await bench.push("--atomic", "main", "HEAD:refs/tags/v2").client.status == 0)
    #expect(try await bench.push("--delete", "v1").client.status == 0)
    #expect(try await bench.push("--delete", "main").client.errors.contains("cannot be deleted"))
    #expect(try await bench.bare("for-each-ref", "--format=%(refname)").text == "refs/heads/main\nrefs/tags/v2\n")
    try await bench.bare("fsck", "--strict", "--full", "--no-dangling")
  }

  @Test("a tag object cannot become the deploy branch")
  func tagAsBranch() async throws {
    let bench = try await PushBench()
    try await bench.git("tag", "-a", "v1", "-m", "one")
    try await bench.git("config", "push.default", "nothing")
    let tag = try await bench.git("rev-parse", "v1").line
    let outcome = try await bench.push("\(tag):refs/heads/main")
    #expect(outcome.client.status == 1)
    #expect(outcome.client.errors.contains("main"))
    #expect(bench.server.state.withLock { $0.builds.isEmpty })
  }

  @Test("a shallow clone that lacks what we lack is refused, and the repository stays sound")
  func shallow() async throws {
    let bench = try await PushBench(history: 5)
    let path = "\(bench.directory.path)/shallow"
    try await bench.git("clone", "-q", "--depth", "1", "file://\(bench.git.directory)", path)
    let outcome = try await bench.push("main", from: RealGit(directory: path))
    #expect(outcome.client.status == 1)
    #expect(outcome.client.errors.contains("git fetch --unshallow"))
    #expect(try await bench.bare("for-each-ref").text.isEmpty)
    #expect(try bench.quarantines.isEmpty)
  }

  @Test("a tree that git itself would not check out is refused over the wire")
  func evilTree() async throws {
    let bench = try await PushBench()
    let blob = try await bench.git("hash-object", "-w", "--stdin", input: Array("x".utf8)).line
    let id = try #require(ObjectID(Array(blob.utf8)[...]))
    let raw = Array("100644 ..".utf8) + [0] + id.bytes
    let tree = try await bench.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", input: raw).line
    let commit = try await bench.git("commit-tree", tree, "-m", "evil").line
    let outcome = try await bench.push("\(commit):refs/heads/main")
    #expect(outcome.client.errors.contains("has an entry named '..'"))
    #expect(outcome.client.errors.contains("remote rejected"))
    #expect(outcome.status == 0)
    #expect(try bench.quarantines.isEmpty)
  }

  @Test("a client that dies in the middle of its pack leaves nothing behind")
  func clientDies() async throws {
    let bench = try await PushBench()
    let git = bench.git
    let new = try await git("rev-parse", "HEAD").line
    let pack = try await git("pack-objects", "--all", "--stdout", "-q").output
    let outcome = try await bench.served { socket in
      try await readGreeting(from: socket)
      let line = "\(CommitID.zero) \(new) refs/heads/main\0report-status side-band-64k"
      let bytes = PktLine.encode(line) + PktLine.flushBytes + pack.prefix(pack.count / 2)
      try Files.writeAll(bytes, to: socket, name: "socket")
      shutdown(socket, Int32(SHUT_WR))
      // Who closes with something unread takes back what it has sent.
      await blocking {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while recv(socket, &buffer, buffer.count, 0) > 0 {}
      }
      return try await git("version")
    }
    #expect(outcome.status == 0)
    #expect(try bench.quarantines.isEmpty)
    #expect(bench.server.state.withLock { $0.builds.isEmpty })
  }

  @Test("a client that goes after its build was accepted does not cancel it")
  func clientLeaves() async throws {
    let bench = try await PushBench()
    let git = bench.git
    let new = try await git("rev-parse", "HEAD").line
    let pack = try await git("pack-objects", "--all", "--stdout", "-q").output
    let outcome = try await bench.served { socket in
      try await readGreeting(from: socket)
      let line = "\(CommitID.zero) \(new) refs/heads/main\0report-status side-band-64k"
      try Files.writeAll(PktLine.encode(line) + PktLine.flushBytes + pack, to: socket, name: "socket")
      shutdown(socket, Int32(SHUT_RDWR))
      return try await git("version")
    }
    #expect(outcome.status == 0)
    #expect(try await bench.bare("rev-parse", "main").line == new)
    #expect(bench.server.state.withLock { $0.outcomes } == [.applied])
  }

  @Test("silence is filled with empty packets, so that nobody takes the connection for dead")
  func keepAlive() async throws {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("socketpair") { paas_socketpair(&ends) }
    let (ours, theirs) = (ends[0], ends[1])
    defer { for end in [ours, theirs] { close(end) } }
    let client = SideBand(SocketTransport(ours), multiplexed: true)
    client.startKeepAlive(interval: .zero)
    let bytes = try await blocking { try ClientInput(SocketTransport(theirs)).bytes(5) }
    #expect(bytes == Array("0005".utf8) + [2])
    // Read on, however long this test has to wait for its turn: a full socket would keep all writers for ever.
    async let rest: Void = blocking {
      var buffer = [UInt8](repeating: 0, count: 4096)
      while recv(theirs, &buffer, buffer.count, 0) > 0 {}
    }
    await blocking { client.end() }
    shutdown(ours, Int32(SHUT_RDWR))
    await rest
  }

  @Test("an old client without side band gets its report all the same")
  func plainClient() async throws {
    let bench = try await PushBench()
    let git = bench.git
    let new = try await git("rev-parse", "HEAD").line
    let pack = try await git("pack-objects", "--all", "--stdout", "-q").output
    let transport = MemoryTransport(
      PktLine.encode("\(CommitID.zero) \(new) refs/heads/main\0report-status") + PktLine.flushBytes + pack)
    let status = try Push.run(
      transport: transport, app: bench.server.app.name, token: "t", server: bench.server,
      repositories: bench.repositories, protocolVersion: .v0, logger: .init(label: "test"))
    #expect(status == 0)
    let report = PktLine.encode("unpack ok\n") + PktLine.encode("ok refs/heads/main\n") + PktLine.flushBytes
    #expect(transport.output.suffix(report.count) == report[...])
    #expect(String(decoding: transport.errors, as: UTF8.self).contains("-----> Building"))
  }
}

/// On a thread of its own: a wait on the cooperative pool would keep the other side from ever sending it.
private func readGreeting(from socket: Int32) async throws {
  try await blocking {
    let greeting = ClientInput(SocketTransport(socket))
    while try greeting.packet() != .flush {}
  }
}
