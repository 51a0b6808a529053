import Glibc
import Linux
import Platform
import Testing

@testable import GitReceiver

@Suite("What upload-pack understands and answers")
struct GitUploadTests {
  private let one = ObjectID(Array(repeating: 0x11, count: 20))
  private let two = ObjectID(Array(repeating: 0x22, count: 20))

  @Test("the first want carries the client's capabilities")
  func want() throws {
    var request = UploadRequest()
    let words = "multi_ack_detailed side-band-64k thin-pack include-tag ofs-delta deepen-relative agent=x"
    try request.receive(Array("want \(one) \(words)\n".utf8), settings: UploadSettings())
    try request.receive(Array("want \(two)\n".utf8), settings: UploadSettings())
    try request.receive(Array("shallow \(two)\n".utf8), settings: UploadSettings())
    try request.receive(Array("deepen 3".utf8), settings: UploadSettings())
    #expect(request.wants == [one, two] && request.shallow == [two] && request.depth == 3)
    #expect(request.acknowledgement == .detailed && request.bands == .large && request.isThin)
    #expect(request.includeTags && request.offsetDeltas && request.isRelative && !request.noProgress)
  }

  @Test(
    "lines that are none are refused",
    arguments: [
      "want 123", "have x", "", "deepen 0", "deepen -1", "deepen 99999999999999999999", "shallow abc", "want",
      "deepen-since never", "filter blob:none", "want \(String(repeating: "z", count: 40))",
    ])
  func nonsense(line: String) {
    var request = UploadRequest()
    #expect(throws: GitError.self) { try request.receive(Array(line.utf8), settings: UploadSettings()) }
    #expect(throws: GitError.self) { try request.receiveArgument(Array(line.utf8), settings: UploadSettings()) }
  }

  @Test("arguments of protocol 2 are read")
  func arguments() throws {
    var request = UploadRequest()
    var settings = UploadSettings()
    settings.allowFilter = true
    for line in ["want \(one)", "have \(two)\n", "done", "wait-for-done", "ofs-delta\n", "filter blob:limit=2k"] {
      try request.receiveArgument(Array(line.utf8), settings: settings)
    }
    #expect(request.wants == [one] && request.haves == [two] && request.isDone && request.waitsForDone)
    #expect(request.offsetDeltas && request.filter == .blobLimit(2048))
    request.depth = 1
    request.since = 5
    #expect(throws: GitError.self) { try request.check() }
  }

  @Test("filters are those we serve, or nothing")
  func filters() {
    #expect(UploadFilter("blob:none") == .noBlobs)
    #expect(UploadFilter("tree:0") == .noTrees)
    #expect(UploadFilter("blob:limit=0") == .blobLimit(0))
    #expect(UploadFilter("blob:limit=1M") == .blobLimit(1 << 20))
    for text in ["", "tree:1", "blob:limit=", "blob:limit=-1", "blob:limit=99999999999g", "sparse:oid=x"] {
      #expect(UploadFilter(text) == nil, "\(text)")
    }
  }

  @Test("haves are answered as the client's capability says")
  func dialogue() throws {
    func answers(_ acknowledgement: String, enough: Bool) throws -> [String] {
      var request = UploadRequest()
      try request.receive(Array("want \(one) \(acknowledgement)".utf8), settings: UploadSettings())
      var dialogue = UploadDialogue(request)
      var lines = dialogue.flush { enough }
      dialogue.commonCount = 1
      lines += dialogue.have(one, isCommon: true) { enough }
      lines += dialogue.flush { enough }
      lines += dialogue.have(two, isCommon: false) { enough }
      lines += dialogue.flush { enough }
      return (lines + dialogue.done()).map { String($0.dropLast()) }
    }
    let single = try answers("", enough: true)
    #expect(single == ["NAK", "ACK \(one)"])
    let multiple = try answers("multi_ack", enough: true)
    #expect(multiple == ["NAK", "ACK \(one) continue", "NAK", "ACK \(two) continue", "NAK", "ACK \(one)"])
    let detailed = try answers("multi_ack_detailed", enough: true)
    #expect(
      detailed == [
        "NAK", "ACK \(one) common", "ACK \(one) ready", "NAK", "ACK \(two) ready", "NAK", "ACK \(one)",
      ])
    let early = try answers("multi_ack_detailed", enough: false)
    #expect(early == ["NAK", "ACK \(one) common", "NAK", "NAK", "ACK \(one)"])
  }

  @Test("with no-done the answer that says ready is the last")
  func noDone() throws {
    var request = UploadRequest()
    try request.receive(Array("want \(one) multi_ack_detailed no-done".utf8), settings: UploadSettings())
    var dialogue = UploadDialogue(request)
    dialogue.commonCount = 1
    _ = dialogue.have(one, isCommon: true) { true }
    #expect(dialogue.flush { true } == ["ACK \(one) ready\n", "NAK\n", "ACK \(one)\n"])
    #expect(dialogue.isOver)
  }

  @Test("the last pattern that fits decides whether a ref is hidden")
  func hidden() {
    var settings = UploadSettings()
    settings.hiddenRefs = ["refs/a", "!refs/a/b", "^refs/c/", "refs/a/b/secret"]
    func hides(_ name: String) -> Bool { settings.hides(Array(name.utf8)) }
    #expect(hides("refs/a") && hides("refs/a/x") && hides("refs/c/x") && hides("refs/a/b/secret"))
    #expect(!hides("refs/ab") && !hides("refs/a/b/x") && !hides("refs/heads/a"))
  }

  @Test("the head of a commit is read, or it is none")
  func commitHead() {
    func head(_ text: String) -> CommitHead? { Array(text.utf8).withUnsafeBytes { CommitHead($0) } }
    let good = "tree \(one)\nparent \(two)\nparent \(one)\nauthor A <a@b> 5 +0000\ncommitter B <a@b> 77 +0000\n\nx"
    let read = head(good)
    #expect(read?.tree == one && read?.date == 77 && read?.parents.count == 96)
    #expect(head("tree \(one)\nauthor A <a> 1 +0\ncommitter none\n\n")?.date == 0)
    let upper = "tree \(String(repeating: "aB", count: 20))\nparent \(String(repeating: "CD", count: 20))\n"
    #expect(head("\(upper)author A <a@b> 5 +0000\n")?.parents.count == 48)
    let torn = "tree \(one)\nparent \(String(repeating: "x", count: 40))\nauthor A <a@b> 5 +0000\n"
    for text in ["", "tree", "tree \(one)", "tree \(String(repeating: "x", count: 40))\n", torn] {
      #expect(head(text) == nil, "\(text)")
    }
  }

  @Test("heads of commits are those that connectivity sees", arguments: 0..<60)
  func sameHeads(cut: Int) {
    let text = "tree \(one)\nparent \(two)\nparent \(one)\nauthor A\n"
    let bytes = Array(text.utf8.dropLast(cut))
    let links = ObjectLinks.commit(bytes)
    bytes.withUnsafeBytes { raw in
      let head = CommitHead(raw)
      #expect(head?.tree == links?.tree && head.map { $0.parents.count / 48 } == links?.parents.count)
    }
  }

  @Test(
    "objects are selected as git does it, whatever the modes and the case of digits",
    arguments: [
      "100", "1", "4", "41", "755", "644", "20000", "40000", "040000", "0100644", "120777", "160000", "060000",
      "177777", "40000100644", "100000040000",
    ])
  func modes(mode: String) async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.work(in: directory)
    func write(_ kind: String, _ data: [UInt8]) async throws -> String {
      try await git("hash-object", "-w", "--literally", "-t", kind, "--stdin", input: data).line
    }
    let isTree = mode.hasSuffix("40000")
    let named = try await isTree ? write("tree", []) : write("blob", Array("x".utf8))
    let id = try #require(ObjectID(Array(named.utf8)[...]))
    let tree = try await write("tree", Array("\(mode) b\0".utf8) + id.bytes)
    let lines = "author A <a@b> 5 +0000\ncommitter A <a@b> 5 +0000\n\nx\n"
    let parent = try await write("commit", Array("tree \(tree.uppercased())\n\(lines)".utf8))
    let tip = try await write("commit", Array("tree \(tree)\nparent \(parent.uppercased())\n\(lines)".utf8))
    let expected = try await git("rev-list", "--objects", tip).text.split(separator: "\n").map { String($0.prefix(40)) }
    let store = try PackStore("\(git.directory)/.git")
    let selection = ObjectSelection(store)
    let tipID = try #require(ObjectID(Array(tip.utf8)[...]))
    let number = try #require(try store.number(of: tipID))
    try ObjectClosure(graph: CommitGraph(store), selection: selection).insert([number])
    #expect(selection.looseNumbers.map { "\(store.id(of: $0))" }.sorted() == expected.sorted())
  }

  @Test("headers and distances of entries are git's", arguments: [0, 1, 15, 16, 127, 128, 16_511, 1 << 33])
  func entryHeads(value: Int) throws {
    var pack = PackBuilder(count: 1)
    try pack.object(3, [], size: value)
    let header = PackEntryType.header(3, size: value)
    #expect(Array(pack.bytes.dropFirst(12).prefix(header.count)) == header)
    if value > 0 { #expect(PackEntryType.distance(value) == PackBuilder.distance(value)) }
  }

  @Test("lines of 64 KiB are held up to a megabyte, however many come", arguments: ["agent=", "deepen-not "])
  func longLines(prefix: String) async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory, commits: 1)
    let lines = Array(repeating: PktLine.encode(prefix + String(repeating: "x", count: 65_000)), count: 20).joined()
    let command = PktLine.encode("command=fetch") + (prefix == "agent=" ? [] : Array("0001".utf8))
    let transport = MemoryTransport(command + lines + PktLine.flushBytes)
    let status = try UploadPack.serve(
      directory: "\(git.directory)/.git", transport: transport, version: .v2, settings: UploadSettings())
    #expect(status == 128)
    let errors = String(decoding: transport.errors, as: UTF8.self)
    #expect(errors.contains("too many lines of one kind") || errors.contains("more than 1 MiB"), "\(errors)")
  }

  @Test("with more than a megabyte of ref-prefix all refs are listed, and none of it is held")
  func longPrefixes() async throws {
    var list = ListRefs()
    let line = Array("ref-prefix \(String(repeating: "x", count: 65_000))".utf8)
    for _ in 0..<20 { try list.receive(line) }
    #expect(list.prefixes.map(\.count).reduce(0, +) <= 1 << 20)
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory, commits: 1)
    func refs(lines: Int) throws -> String {
      let lines = Array(repeating: PktLine.encode(line), count: lines).joined()
      let transport = MemoryTransport(
        PktLine.encode("command=ls-refs") + Array("0001".utf8) + lines + PktLine.flushBytes)
      _ = try UploadPack.serve(
        directory: "\(git.directory)/.git", transport: transport, version: .v2, settings: UploadSettings())
      return String(decoding: transport.output, as: UTF8.self)
    }
    #expect(try !refs(lines: 16).contains("refs/heads/main"))
    #expect(try refs(lines: 20).contains("refs/heads/main"))
  }

  @Test("broken conversations end with a reason, and at once")
  func broken() async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory, commits: 2)
    let tip = try await git("rev-parse", "HEAD").line
    func serve(_ input: String, _ version: GitProtocolVersion) throws -> (status: Int32?, errors: String) {
      let transport = MemoryTransport(Array(input.utf8), piece: 3)
      let status = try UploadPack.serve(
        directory: "\(git.directory)/.git", transport: transport, version: version, settings: UploadSettings())
      return (status, String(decoding: transport.errors, as: UTF8.self))
    }
    for input in ["0032want \(tip)\n", "0032want \(tip)\n0000", "0009hello", "0032want \(tip)\n00000009huh?\n"] {
      let ended = try serve(input, .v0)
      #expect(ended.status == 128 && ended.errors.hasPrefix("fatal: "), "\(input)")
    }
    let torn = [
      "0009hello0000", "0012command=fetch\n", "0012command=fetch\n0001000cwant 12", "0012command=other\n0000",
    ]
    for input in torn {
      let ended = try serve(input, .v2)
      #expect(ended.status == 128 && ended.errors.hasPrefix("fatal: "), "\(input)")
    }
    #expect(try serve("", .v0).status == 128)
    #expect(try serve("0000", .v1).status == 0)
    #expect(try serve("", .v2).status == 0)
  }

  @Test("on the platform, what no ref reaches any more cannot be fetched by its id")
  func unreachable() async throws {
    let directory = try TemporaryDirectory()
    let git = try await RealGit.workWithHistory(in: directory, commits: 4)
    let tip = try await git("rev-parse", "HEAD").line
    let older = try await git("rev-parse", "HEAD~2").line
    let blob = try await git("rev-parse", "HEAD:long.txt").line
    try await git("reset", "-q", "--hard", "HEAD~1")
    func status(_ id: String, _ settings: UploadSettings) throws -> Int32 {
      let input = "0012command=fetch\n00010032want \(id)\n0009done\n0000"
      return try UploadPack.serve(
        directory: "\(git.directory)/.git", transport: MemoryTransport(Array(input.utf8)), version: .v2,
        settings: settings)
    }
    #expect(try status(tip, .managed) == 128)
    #expect(try status(blob, .managed) == 128)
    #expect(try status(older, .managed) == 0)
    #expect(try status(tip, UploadSettings()) == 0)
  }
}
