import Linux
import Testing

@testable import GitReceiver

/// Objects, each in a pack of its own, before git's `index-pack --strict` and ours.
@Suite("fsck as git has it")
struct FsckTests {
  /// A pack of some objects, and what it is about.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let objects: [(ObjectKind, [UInt8])]
    var testDescription: String { name }

    init(_ name: String, _ objects: [(ObjectKind, [UInt8])]) {
      self.name = name
      self.objects = objects
    }
  }

  /// Runs all cases on threads of their own, and returns how many git accepts.
  private func compare(_ cases: [Case]) async throws -> Int {
    let halves = [0, 1].map { half in cases.indices.filter { $0 % 2 == half }.map { cases[$0] } }
    async let first = blocking { try Self.compare(halves[0]) }
    async let second = blocking { try Self.compare(halves[1]) }
    let results = try await [first, second]
    for difference in results.flatMap(\.differences) { Issue.record(Comment(rawValue: difference)) }
    return results.map(\.accepted).reduce(0, +)
  }

  private static func compare(_ cases: [Case]) throws -> (accepted: Int, differences: [String]) {
    let judge = try GitJudge()
    for object in [FsckObjects.blob, FsckObjects.other] {
      try GitJudge.run(
        ["--git-dir", judge.git, "hash-object", "-w", "--stdin"], in: judge.directory.path, input: object)
    }
    try GitJudge.run(
      ["--git-dir", judge.git, "hash-object", "-w", "--stdin", "-t", "tree"], in: judge.directory.path)
    try GitJudge.run(
      ["--git-dir", judge.git, "hash-object", "-w", "--stdin", "-t", "commit"], in: judge.directory.path,
      input: FsckObjects.commit)
    var accepted = 0
    var differences: [String] = []
    for one in cases {
      var builder = PackBuilder(count: UInt32(one.objects.count))
      for (kind, data) in one.objects { try builder.object(kind.rawValue, data) }
      let theirs = try judge.theirs(builder.finished)
      let ours = try judge.ours(builder.finished)
      if theirs.isAccepted { accepted += 1 }
      if let difference = difference(theirs, ours) {
        differences.append("\(difference): \(one.name.debugDescription)\n  git: \(theirs)\n  ours: \(ours)")
      }
    }
    return (accepted, differences)
  }

  /// Also the name of the fault must be one that git gives.
  private static func difference(_ theirs: PackVerdict, _ ours: PackVerdict) -> String? {
    switch (theirs, ours) {
    case (.accepted(let left), .accepted(let right)): return left == right ? nil : "other ids"
    case (.refused(let left), .refused(let right)):
      let words = left.split(separator: " ")
      let names = words.indices.dropFirst(3).filter {
        words[$0 - 3...$0 - 2] == ["error:", "object"] && words[$0].hasSuffix(":")
      }
      .map { words[$0].dropLast() }
      return names.isEmpty || names.contains { right.hasSuffix("(\($0))") } ? nil : "another name: \(names)"
    default: return "another verdict"
    }
  }

  @Test("names and modes in trees are judged as git judges them")
  func names() async throws {
    var cases: [Case] = []
    for name in FsckObjects.names {
      for mode in ["100644", "120000", "40000"] {
        cases.append(Case("\(mode) \(name)", [(.tree, FsckObjects.tree([(mode, name)]))]))
      }
    }
    for mode in FsckObjects.modes {
      cases.append(Case("mode \(mode)", [(.tree, FsckObjects.tree([(mode, Array("a".utf8))]))]))
    }
    let accepted = try await compare(cases)
    #expect(accepted > 100 && accepted < cases.count - 100)
  }

  @Test("order and repetition in trees are judged as git judges them")
  func order() async throws {
    let accepted = try await compare(FsckObjects.orders + FsckObjects.tornTrees)
    #expect(accepted > 5)
  }

  @Test("persons and times are judged as git judges them")
  func persons() async throws {
    let good = "A <a@b.c> 1700000000 +0000"
    var cases: [Case] = []
    for person in FsckObjects.persons {
      for text in [("author \(person)\ncommitter \(good)"), "author \(good)\ncommitter \(person)"] {
        cases.append(Case(text, [(.commit, Array("tree \(FsckObjects.emptyTree)\n\(text)\n\nhello\n".utf8))]))
      }
      let tag = "object \(FsckObjects.emptyTree)\ntype tree\ntag v1\ntagger \(person)\n\nhello\n"
      cases.append(Case(tag, [(.tag, Array(tag.utf8))]))
    }
    let accepted = try await compare(cases)
    #expect(accepted > 20 && accepted < cases.count - 20)
  }

  @Test("heads of commits and tags are judged as git judges them")
  func heads() async throws {
    let accepted = try await compare(FsckObjects.commits + FsckObjects.tags)
    #expect(accepted > 10)
  }

  @Test(".gitmodules is judged as git judges it")
  func modules() async throws {
    var cases: [Case] = []
    for text in FsckObjects.modules + FsckObjects.urls.map({ Array("[submodule \"a\"]\n\turl = \"\($0)\"\n".utf8) }) {
      let id = try text.withUnsafeBytes { try hash($0, kind: .blob) }
      let tree = FsckObjects.entry("100644", Array(".gitmodules".utf8), id.bytes)
      cases.append(Case(shown(text), [(.tree, tree), (.blob, text)]))
      cases.append(Case("blob first: \(shown(text))", [(.blob, text), (.tree, tree)]))
    }
    let accepted = try await compare(cases)
    #expect(accepted > 20 && accepted < cases.count - 20)
  }

  @Test(".gitattributes, and what is no blob under either name, are judged as git judges them")
  func attributes() async throws {
    var cases: [Case] = []
    let line = [UInt8](repeating: 0x61, count: 2047)
    for text in [[], line, line + [0x61], line + [0x0A] + line, [0x0A] + line + [0x61, 0x0A], [0] + line + line] {
      let id = try text.withUnsafeBytes { try hash($0, kind: .blob) }
      for name in [".gitattributes", ".GitAttributes", "gitatt~1", "gi7d29~1"] {
        cases.append(
          Case(
            "\(name) \(text.count)", [(.tree, FsckObjects.entry("100644", Array(name.utf8), id.bytes)), (.blob, text)]))
      }
    }
    for name in [".gitmodules", ".gitattributes"] {
      for mode in ["100644", "120000", "40000", "160000"] {
        for id in [FsckObjects.blobID, FsckObjects.treeID, FsckObjects.commitID, ObjectID([7]).bytes] {
          cases.append(
            Case("\(mode) \(name) \(ObjectID(id))", [(.tree, FsckObjects.entry(mode, Array(name.utf8), id))]))
        }
      }
    }
    let accepted = try await compare(cases)
    #expect(accepted > 10 && accepted < cases.count - 10)
  }
}
