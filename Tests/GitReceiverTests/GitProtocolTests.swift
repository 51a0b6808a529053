import Platform
import Testing
import Wire

@testable import GitReceiver

@Suite("Packet lines and commands")
struct GitProtocolTests {
  private let one = String(repeating: "1", count: 40)
  private let two = String(repeating: "2", count: 40)

  private func packets(_ bytes: [UInt8], piece: Int = 3) throws -> [PktLine] {
    let input = ClientInput(MemoryTransport(bytes, piece: piece), capacity: 16)
    var result: [PktLine] = []
    while let packet = try input.packet() { result.append(packet) }
    return result
  }

  @Test("what is encoded is read again, in pieces of any size")
  func roundTrip() throws {
    let long = [UInt8](repeating: 7, count: PktLine.maximumData)
    let bytes = PktLine.encode("hello\n") + PktLine.flushBytes + PktLine.encode([]) + PktLine.encode(long)
    #expect(bytes.starts(with: "000ahello\n00000004fff0".utf8))
    #expect(try packets(bytes, piece: 1) == [.data(Array("hello\n".utf8)), .flush, .data([]), .data(long)])
  }

  @Test("a bad length is refused", arguments: ["0001", "0002", "0003", "fff1", "ffff", "-001", "00g4", "    ", "0x10"])
  func badLength(header: String) {
    #expect(throws: GitError.self) { try packets(Array((header + "some data").utf8)) }
  }

  @Test("a packet cut short means that the client has gone")
  func cutShort() {
    for bytes in ["00", "000ahel"] {
      let error = #expect(throws: GitError.self) { try packets(Array(bytes.utf8)) }
      #expect(error?.kind == .disconnected)
    }
  }

  @Test("commands and capabilities of a real client are read")
  func commands() throws {
    var receive = ReceivePack()
    let capabilities = " report-status side-band-64k atomic object-format=sha1 agent=git/2.39.5"
    #expect(try receive.receive(.data(Array("\(one) \(two) refs/heads/main\0\(capabilities)".utf8))) == .readPacket)
    let zero = CommitID.zero.description
    #expect(try receive.receive(.data(Array("\(one) \(zero) refs/tags/v1\n".utf8))) == .readPacket)
    #expect(try receive.receive(.data(Array("shallow \(two)".utf8))) == .readPacket)
    #expect(try receive.receive(.flush) == .commandsComplete)
    #expect(receive.commands.map(\.ref?.description) == ["refs/heads/main", "refs/tags/v1"])
    #expect(receive.commands.map(\.isDelete) == [false, true])
    #expect(receive.client.reportStatus && receive.client.sideBand && receive.client.atomic && !receive.client.quiet)
    #expect(receive.shallow.count == 1)
  }

  @Test("lines that are no commands are refused", arguments: ["", "hello", "push-cert\0x", "zz \0", "shallow x"])
  func badCommand(line: String) {
    var receive = ReceivePack()
    #expect(throws: GitError.self) { try receive.receive(.data(Array(line.utf8))) }
  }

  @Test("a push of too many refs and one in SHA-256 are refused")
  func limits() throws {
    var receive = ReceivePack()
    for number in 0..<ReceivePack.maximumCommands {
      _ = try receive.receive(.data(Array("\(one) \(two) refs/tags/\(number)".utf8)))
    }
    #expect(throws: GitError.self) { try receive.receive(.data(Array("\(one) \(two) refs/tags/more".utf8))) }
    var other = ReceivePack()
    #expect(throws: GitError.self) {
      try other.receive(.data(Array("\(one) \(two) refs/tags/a\0 object-format=sha256".utf8)))
    }
  }

  @Test("an invalid ref name is that ref's fault, and is reported byte for byte")
  func invalidName() throws {
    var receive = ReceivePack()
    _ = try receive.receive(.data(Array("\(one) \(two) refs/heads/".utf8) + [0xFF, 0x2E, 0x2E]))
    let command = try #require(receive.commands.first)
    #expect(command.ref == nil)
    let report = PushReport(results: [(command.name, .rejected("not a\nvalid name"))]).encoded
    #expect(report.contains([0xFF, 0x2E, 0x2E] + Array(" not a valid name\n".utf8)))
  }

  @Test("GIT_PROTOCOL chooses the highest version that is asked for and known")
  func version() {
    #expect(GitProtocolVersion(environment: nil) == .v0)
    #expect(GitProtocolVersion(environment: "version=1") == .v1)
    #expect(GitProtocolVersion(environment: "foo:version=1") == .v1)
    #expect(GitProtocolVersion(environment: "version=2") == .v2)
    #expect(GitProtocolVersion(environment: "version=1:version=2") == .v2)
  }
}

@Suite("What a push may change")
struct GitPushPlanTests {
  private let app: App
  private let one = ObjectID([1])
  private let two = ObjectID([2])
  private let zero = ObjectID([])

  init() throws { app = App(id: AppID(), name: try AppName("hello")) }

  private func plan(
    _ commands: [(String, ObjectID, ObjectID)], branch: String? = "main", tip: ObjectID? = nil, atomic: Bool = false,
    refs: [String: ObjectID] = [:], isLost: Bool = false
  ) throws -> [String] {
    let grant = RepositoryGrant(
      app: app, created: false, deployBranch: branch, tip: try tip.map { try CommitID($0.description) },
      liveRelease: nil, liveCommit: nil)
    let list = commands.map { RefCommand(old: $0.1, new: $0.2, name: Array($0.0.utf8), ref: try? RefName($0.0)) }
    return PushPlan(list, atomic: atomic, grant: grant, isLost: isLost) { refs[$0.description] }.steps.map {
      switch $0.verdict {
      case .deploy(let ref): "deploy \(ref)"
      case .keep(let ref): "keep \(ref)"
      case .refuse(let reason): reason
      }
    }
  }

  @Test("the deploy branch deploys, and a first push of master makes that the branch")
  func deploys() throws {
    #expect(try plan([("refs/heads/main", zero, one)]) == ["deploy refs/heads/main"])
    #expect(try plan([("refs/heads/master", zero, one)], branch: nil) == ["deploy refs/heads/master"])
    #expect(try plan([("refs/heads/master", zero, one)])[0].contains("git push paas master:main"))
    let both = try plan([("refs/heads/master", zero, one), ("refs/heads/main", zero, one)], branch: nil)
    #expect(both[1] == "deploy refs/heads/main")
    #expect(
      try plan([("refs/heads/main", one, two)], tip: one, refs: ["refs/heads/main": one]) == ["deploy refs/heads/main"])
  }

  @Test("another branch is refused with the command that would deploy it")
  func otherBranch() throws {
    let verdict = try plan([("refs/heads/feature/x", zero, one)])[0]
    #expect(verdict == "only 'main' deploys; to deploy this branch: git push paas feature/x:main")
  }

  @Test("tags are kept, and other places are not for pushing")
  func others() throws {
    #expect(try plan([("refs/tags/v1", zero, one)]) == ["keep refs/tags/v1"])
    #expect(try plan([("refs/notes/x", zero, one)])[0].contains("only the deploy branch"))
    #expect(try plan([("refs/heads/../../x", zero, one)]) == ["not a valid ref name"])
    #expect(try plan([("HEAD", zero, one)]) == ["not a valid ref name"])
  }

  @Test("the deploy branch cannot be deleted, and what does not exist cannot either")
  func deletes() throws {
    let refs = ["refs/heads/main": one, "refs/tags/v1": one]
    #expect(try plan([("refs/heads/main", one, zero)], tip: one, refs: refs)[0].contains("apps:destroy"))
    #expect(try plan([("refs/tags/v1", one, zero)], refs: refs) == ["keep refs/tags/v1"])
    #expect(try plan([("refs/tags/v2", one, zero)], refs: refs) == ["the ref does not exist"])
  }

  @Test("a push from an outdated view is refused")
  func stale() throws {
    let refs = ["refs/heads/main": two, "refs/tags/v1": two]
    #expect(try plan([("refs/heads/main", one, two)], tip: two, refs: refs)[0].contains("moved"))
    #expect(try plan([("refs/tags/v1", zero, one)], refs: refs)[0].contains("moved"))
  }

  @Test("a repository that disagrees with the ledger is refused, one that was lost starts over")
  func ledger() throws {
    #expect(try plan([("refs/heads/main", zero, two)], tip: one)[0].contains("ledger"))
    #expect(try plan([("refs/heads/main", zero, two)], tip: one, isLost: true) == ["deploy refs/heads/main"])
  }

  @Test("with --atomic one refusal refuses all, and a ref named twice is refused")
  func atomic() throws {
    let both = [("refs/heads/main", zero, one), ("refs/heads/x", zero, one)]
    #expect(try plan(both)[0] == "deploy refs/heads/main")
    #expect(try plan(both, atomic: true)[0] == "atomic push failed")
    #expect(try plan([("refs/tags/a", zero, one), ("refs/tags/a", zero, two)]).allSatisfy { $0.contains("twice") })
  }
}
