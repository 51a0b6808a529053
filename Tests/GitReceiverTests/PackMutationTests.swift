import Glibc
import Linux
import Testing

@testable import GitReceiver

/// 10,000 packs that were good once, before git's `index-pack --strict` and ours.
@Suite("Mutated packs, git beside us")
struct PackMutationTests {
  /// A history with everything in it that a tree can hold, its packs, and what a push of its second half needs.
  private struct Material {
    let half: String
    let whole: String
    let packs: [[UInt8]]
    let objects: [(ObjectKind, [UInt8])]
    private let directory: TemporaryDirectory

    init() async throws {
      directory = try TemporaryDirectory()
      let git = try await RealGit.work(in: directory)
      try Files.makeDirectory("\(git.directory)/src")
      try git.write(".gitmodules", "[submodule \"a\"]\n\tpath = a\n\turl = ../a.git\n")
      try git.write(".gitattributes", "*.txt text\n")
      try checked("link") { symlink("src/one.txt", "\(git.directory)/link") }
      var lines = (0..<30).map { "line \($0) of a file" }
      var middle = ""
      for number in 0..<8 {
        lines[(number * 7) % 30] = "changed in commit \(number)"
        try git.write("src/one.txt", lines.joined(separator: "\n"))
        try git.write("src/\(number).txt", "content \(number)\n")
        try git.write("run", "#!/bin/sh\n")
        if number == 1 {
          try await git("update-index", "--add", "--cacheinfo", "160000,\(String(repeating: "1", count: 40)),a")
          try await git("commit", "-q", "-m", "with a submodule")
        }
        let commit = try await git.commit("commit \(number)")
        if number == 4 { middle = commit }
      }
      try await git("tag", "-a", "v1", "-m", "a tag")
      whole = "\(git.directory)/.git"
      half = "\(directory.path)/half.git"
      try await git("branch", "half", middle)
      try await git("clone", "-q", "--bare", "--no-local", "--single-branch", "--no-tags", "-b", "half", ".", half)
      let all = Array("--all\n".utf8)
      let new = Array("main\nv1\n^half\n".utf8)
      packs = [
        try await git("pack-objects", "--revs", "--stdout", "--delta-base-offset", "-q", input: all).output,
        try await git("pack-objects", "--revs", "--stdout", "-q", input: all).output,
        try await git("pack-objects", "--revs", "--thin", "--stdout", "-q", input: new).output,
        try await git("pack-objects", "--revs", "--thin", "--delta-base-offset", "--stdout", "-q", input: new).output,
      ]
      let list = try await git("cat-file", "--batch-check=%(objecttype) %(objectname)", "--batch-all-objects").text
      var objects: [(ObjectKind, [UInt8])] = []
      for line in list.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        guard let kind = ObjectKind(name: words[0].utf8), kind != .blob else { continue }
        objects.append((kind, try await git("cat-file", words[0], words[1]).output))
      }
      let modules = try Files.read("\(git.directory)/.gitmodules", limit: 1 << 20)
      // As many as there are of other kinds, so that each kind is changed often.
      self.objects = objects + [(ObjectKind, [UInt8])](repeating: (.blob, modules), count: objects.count / 3)
    }
  }

  private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

  @Test("10,000 mutations of good packs are judged as git judges them")
  func mutations() async throws {
    let material = try await Material()
    let count = Self.number("PAAS_TEST_MUTATIONS") ?? 10_000
    let seed = Self.number("PAAS_TEST_SEED") ?? 1
    let threads = 2
    let results = try await withThrowingTaskGroup(of: (accepted: Int, differences: [String]).self) { group in
      for thread in 0..<threads {
        group.addTask {
          try await blocking { try Self.run(count / threads, seed: UInt64(seed * threads + thread), material) }
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let accepted = results.map(\.accepted).reduce(0, +)
    let differences = results.flatMap(\.differences)
    #expect(accepted > count / 50 && accepted < count / 2)
    #expect(differences.count == 0)
    for difference in differences.prefix(20) { Issue.record(Comment(rawValue: difference)) }
  }

  private static func run(_ count: Int, seed: UInt64, _ material: Material) throws -> (Int, [String]) {
    let half = try GitJudge(copyOf: material.half)
    let whole = try GitJudge(copyOf: material.whole)
    var mutator = try PackMutator(seed: seed, packs: material.packs, objects: material.objects)
    var accepted = 0
    var differences: [String] = []
    for number in 0..<count {
      let (pack, target) = try mutator.next()
      let judge = target == .half ? half : whole
      let theirs = try judge.theirs(pack)
      let ours = try judge.ours(pack)
      if theirs.isAccepted { accepted += 1 }
      guard theirs.isAccepted != ours.isAccepted || (theirs.isAccepted && theirs != ours) else { continue }
      differences.append(
        "mutation \(number) of seed \(seed), for the \(target) history\n  git: \(theirs)\n  ours: \(ours)\n  \(hexadecimal(pack))"
      )
      if let directory = getenv("PAAS_TEST_KEEP") {
        try Files.writeDurably(pack, to: "\(String(cString: directory))/\(target)-\(seed)-\(number).pack")
      }
    }
    return (accepted, differences)
  }

  private static func hexadecimal(_ pack: [UInt8]) -> String {
    pack.prefix(400).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
