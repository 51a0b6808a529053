import Archive
import Glibc
import Linux
import Testing

@Suite("A hostile archive")
struct HostileArchiveTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test("with an absolute path writes nothing there")
  func absolutePath() throws {
    expectRefused([RawEntry(path: "\(scratch.path)/escaped", contents: "x")], in: scratch, reason: "absolute path")
    #expect(!Files.exists("\(scratch.path)/escaped"))
  }

  @Test("with '..' in a path writes nothing outside", arguments: ["../escaped", "a/../../escaped", "a/.."])
  func dotDot(path: String) throws {
    expectRefused([RawEntry(path: path, contents: "x")], in: scratch, reason: "'..'")
    #expect(!Files.exists("\(scratch.path)/escaped"))
  }

  @Test("with a link out of the tree is refused", arguments: ["/etc", "..", "../into", "a/../../b", "a/..", "./../x"])
  func symlinkTarget(target: String) throws {
    expectRefused([RawEntry(path: "link", type: "2", link: target)], in: scratch, reason: "link out of the tree")
  }

  @Test("that makes a link and then writes through it reaches nothing")
  func writeThroughSymlink() throws {
    try Files.makeDirectory("\(scratch.path)/outside")
    let entries = [
      RawEntry(path: "link", type: "2", link: "\(scratch.path)/outside"), RawEntry(path: "link/file", contents: "x"),
    ]
    #expect(throws: ArchiveError.self) {
      try unpack(entries, in: scratch, limits: ArchiveLimits(links: .anywhere))
    }
    #expect(!Files.exists("\(scratch.path)/outside/file"))
  }

  @Test("that writes through a link inside the tree is refused as well")
  func writeThroughInnerSymlink() throws {
    let entries = [
      RawEntry(path: "real", type: "5", mode: 0o755), RawEntry(path: "link", type: "2", link: "real"),
      RawEntry(path: "link/file", contents: "x"),
    ]
    expectRefused(entries, in: scratch, reason: "goes through 'link'")
  }

  @Test("that overwrites the file behind a link replaces the link")
  func overwriteSymlink() throws {
    close(try scratch.file("victim", Array("safe".utf8)))
    let entries = [
      RawEntry(path: "link", type: "2", link: "\(scratch.path)/victim"), RawEntry(path: "link", contents: "x"),
    ]
    try unpack(entries, in: scratch, limits: ArchiveLimits(links: .anywhere))
    #expect(try scratch.text("victim") == "safe")
    #expect(try scratch.text("into/link") == "x")
  }

  @Test("that puts a link in a directory's place is refused")
  func directoryBecomesSymlink() throws {
    let entries = [
      RawEntry(path: "a", type: "5", mode: 0o755), RawEntry(path: "a", type: "2", link: "b"),
    ]
    expectRefused(entries, in: scratch, reason: "takes the place of a directory")
  }

  @Test("with a hard link to outside is refused", arguments: ["/etc/passwd", "../victim", "missing"])
  func hardLinkOutside(target: String) throws {
    close(try scratch.file("victim", Array("safe".utf8)))
    #expect(throws: ArchiveError.self) {
      try unpack([RawEntry(path: "link", type: "1", link: target)], in: scratch)
    }
    #expect(!Files.exists("\(scratch.path)/into/link"))
  }

  @Test("with a hard link through a symbolic link is refused")
  func hardLinkThroughSymlink() throws {
    close(try scratch.file("victim", Array("safe".utf8)))
    let entries = [
      RawEntry(path: "up", type: "2", link: scratch.path), RawEntry(path: "link", type: "1", link: "up/victim"),
    ]
    #expect(throws: ArchiveError.self) {
      try unpack(entries, in: scratch, limits: ArchiveLimits(links: .anywhere))
    }
    #expect(!Files.exists("\(scratch.path)/into/link"))
  }

  @Test("with a hard link to a symbolic link is refused")
  func hardLinkToSymlink() throws {
    let entries = [
      RawEntry(path: "s", type: "2", link: "/etc/passwd"), RawEntry(path: "link", type: "1", link: "s"),
    ]
    #expect(throws: ArchiveError.self) {
      try unpack(entries, in: scratch, limits: ArchiveLimits(links: .anywhere))
    }
  }

  @Test("with a device or a fifo is refused", arguments: ["3", "4", "6"] as [Character])
  func special(type: Character) throws {
    expectRefused([RawEntry(path: "special", type: type)], in: scratch, reason: "no file, directory or link")
    #expect(!Files.exists("\(scratch.path)/into/special"))
  }

  @Test("loses setuid, setgid and sticky bits")
  func setuid() throws {
    let entries = [
      RawEntry(path: "program", mode: 0o6755, contents: "x"), RawEntry(path: "dir", type: "5", mode: 0o3777),
    ]
    try unpack(entries, in: scratch)
    #expect(try scratch.mode("into/program") & 0o7777 == 0o755)
    #expect(try scratch.mode("into/dir") & 0o7777 == 0o777)
  }

  @Test("with too many entries stops at the limit")
  func tooManyEntries() throws {
    let entries = (0..<11).map { RawEntry(path: "f\($0)") }
    #expect(throws: ArchiveError.tooManyEntries(limit: 10)) {
      try unpack(entries, in: scratch, limits: ArchiveLimits(entries: 10))
    }
    #expect(!Files.exists("\(scratch.path)/into/f10"))
  }

  @Test("that is too large stops before the file is written")
  func tooLarge() throws {
    let entries = [RawEntry(path: "a", contents: "12345"), RawEntry(path: "b", contents: "123456")]
    #expect(throws: ArchiveError.tooLarge(limit: 10)) {
      try unpack(entries, in: scratch, limits: ArchiveLimits(totalBytes: 10))
    }
    #expect(!Files.exists("\(scratch.path)/into/b"))
  }

  @Test("that claims a huge file is refused before anything is allocated")
  func hugeClaim() throws {
    #expect(throws: ArchiveError.tooLarge(limit: 4 << 30)) {
      try unpack([RawEntry(path: "a", announcedSize: 0o77_777_777_777)], in: scratch)
    }
  }

  @Test("that ends in the middle of a file is refused")
  func truncated() throws {
    #expect(throws: ArchiveError.self) { try unpack([RawEntry(path: "a", announcedSize: 1 << 20)], in: scratch) }
  }

  @Test("that is no archive at all is refused")
  func garbage() throws {
    let file = try scratch.file("garbage", Array("this is not a tar file, is it".utf8))
    defer { close(file) }
    #expect(throws: ArchiveError.self) {
      try Untar.extract(from: file, into: scratch.descriptor, limits: ArchiveLimits())
    }
  }
}
