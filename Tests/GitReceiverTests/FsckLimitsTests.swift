import Testing

@testable import GitReceiver

/// Objects that are made to cost the checker time or memory.
@Suite("What the check of objects may cost")
struct FsckLimitsTests {
  private func modules(_ text: [UInt8]) -> String? {
    text.withUnsafeBytes { FsckModules.fault($0)?.message }
  }

  /// The section's name was once copied and read again for each setting: 20 GB for these 1.1 MB.
  @Test(
    "a .gitmodules with a long name and many settings is read in a moment",
    arguments: ["", ".url\0", ".a\0", "/a", "/."])
  func longSection(end: String) {
    let head = Array("[submodule \"".utf8) + [UInt8](repeating: UInt8(ascii: "A"), count: 1 << 20) + Array(end.utf8)
    let text = head + Array("\"]\n".utf8) + Array(repeating: Array("a\n".utf8), count: 20_000).joined()
    let cost = processorTime {
      #expect(modules(text) == nil)
      #expect(modules(text + Array("[submodule \"..\"]\na\n".utf8)) == "gitmodulesName")
    }
    #expect(cost < .seconds(20))
  }

  @Test("a key that a NUL cuts out of a long name is not read again for each setting")
  func longKey() {
    let head = Array("[submodule \"a.".utf8) + [UInt8](repeating: UInt8(ascii: "u"), count: 1 << 20) + [0]
    let text = head + Array("\"]\n".utf8) + Array(repeating: Array("a=b\n".utf8), count: 20_000).joined()
    let cost = processorTime { #expect(modules(text) == nil) }
    #expect(cost < .seconds(20))
  }

  @Test(
    "a special file of more than 100 MiB is refused unread, one of exactly that is read",
    arguments: ["gitmodules", "gitattributes"])
  func largeSpecialBlob(name: String) throws {
    let id = ObjectID([1])
    let check = ObjectCheck()
    if name == "gitmodules" { try check.special.addModules(id) } else { try check.special.addAttributes(id) }
    var reads = 0
    func refusal(_ kind: ObjectKind, _ size: Int) -> String? {
      do {
        try check.finish(header: { $0 == id ? (kind, size) : nil }) { _ in
          reads += 1
          return (.blob, Array("# nothing\n".utf8))
        }
        return nil
      } catch {
        return "\(error)"
      }
    }
    #expect(refusal(.blob, (100 << 20) + 1)?.hasSuffix("of more than 100 MiB (\(name)Large)") == true)
    #expect(refusal(.tree, 1)?.hasSuffix("(\(name)Blob)") == true)
    #expect(reads == 0)
    #expect(refusal(.blob, 100 << 20) == nil)
    #expect(reads == 1)
  }

  @Test("a special file that is nowhere is refused only as .gitattributes, and is not read")
  func missingSpecialBlob() throws {
    let check = ObjectCheck()
    func finish() throws {
      try check.finish(header: { _ in nil }) { _ in
        Issue.record("read")
        return nil
      }
    }
    try check.special.addModules(ObjectID([1]))
    try finish()
    try check.special.addAttributes(ObjectID([1]))
    let error = #expect(throws: GitError.self) { try finish() }
    #expect(error?.message.hasSuffix("(gitattributesMissing)") == true)
  }

  @Test(
    "commits, tags and trees above 64 MiB are refused unread, blobs are not",
    arguments: [ObjectKind.commit, .tag, .tree, .blob], [FsckRules.strict, .none])
  func largeObject(kind: ObjectKind, rules: FsckRules) throws {
    let data = UnsafeMutableRawBufferPointer.allocate(byteCount: (64 << 20) + 1, alignment: 8)
    defer { data.deallocate() }
    // Unread means that only the beginning needs to be there.
    for index in 0..<64 { data[index] = 0 }
    func refusal(_ size: Int) -> GitError? {
      do throws(GitError) {
        try ObjectCheck(rules: rules).check(kind, UnsafeRawBufferPointer(rebasing: data[..<size]), id: ObjectID([2]))
        return nil
      } catch {
        return error
      }
    }
    let error = refusal(data.count)
    #expect(error?.kind == (kind == .blob ? nil : .limit))
    #expect(error?.message.contains("the limit for commits, tags and trees is 64 MiB") == (kind == .blob ? nil : true))
    #expect(refusal(64)?.kind == (kind == .blob ? nil : .badObjects))
  }

  /// All of them were once kept until a directory came: 48 bytes for each entry of 30.
  @Test("of files that begin their neighbours' names no more are remembered than begin the last one's")
  func filesBefore() throws {
    var files = FilesBefore()
    let names = (0..<500).flatMap { number in ["", "a", "aa", "ab"].map { "\(1000 + number)\($0)" } }
    let id = ObjectID([1]).bytes
    let tree: [UInt8] = names.flatMap { name -> [UInt8] in Array("100644 \(name)".utf8) + [0] + id }
    try tree.withUnsafeBytes { tree in
      var position = try #require(tree.baseAddress)
      let end = position + tree.count
      while position < end {
        let entry = try #require(RawTreeEntry(at: position, end: end))
        files.append(entry)
        #expect(files.count <= 3)
        position = entry.end
      }
    }
  }
}
