import Archive
import Glibc
import Linux
import Testing

@Suite("An archive")
struct RoundTripTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func write(_ name: String, _ compression: TarWriter.Compression, _ body: (TarWriter) throws -> Void) throws
    -> Int32
  {
    let file = try scratch.file(name)
    let writer = try TarWriter(descriptor: file, compression: compression)
    try body(writer)
    try writer.finish()
    #expect(writer.bytesWritten == lseek(file, 0, SEEK_END))
    lseek(file, 0, SEEK_SET)
    return file
  }

  @Test("keeps files, modes, links and names of any length")
  func everything() throws {
    let long = String(repeating: "d/", count: 90) + String(repeating: "n", count: 200)
    let tar = try write("a.tar.zst", .zstd(level: 3, threads: 2)) { writer in
      try writer.directory(path: Array("bin".utf8))
      try writer.file(path: Array("bin/run".utf8), mode: 0o755, bytes: Array("#!/bin/sh\n".utf8))
      try writer.symlink(path: Array("run".utf8), target: Array("bin/run".utf8))
      try writer.file(path: Array(long.utf8), bytes: Array("deep".utf8))
    }
    defer { close(tar) }
    let summary = try Untar.extract(from: tar, into: try scratch.directory("into"), limits: ArchiveLimits())
    #expect(summary.entries == 4)
    #expect(summary.bytes == 14)
    #expect(try scratch.mode("into/bin/run") == S_IFREG | 0o755)
    #expect(try scratch.mode("into/run") & S_IFMT == S_IFLNK)
    #expect(try scratch.text("into/run") == "#!/bin/sh\n")
    #expect(try scratch.text("into/\(long)") == "deep")
  }

  @Test("keeps names that are no UTF-8")
  func invalidUTF8() throws {
    let name: [UInt8] = [0x66, 0xFF, 0xFE, 0x80]
    let tar = try write("a.tar", .none) { writer in
      try writer.file(path: name, bytes: [1])
      try writer.symlink(path: [0xC3], target: name)
    }
    defer { close(tar) }
    let into = try scratch.directory("into")
    _ = try Untar.extract(from: tar, into: into, limits: ArchiveLimits())
    #expect(faccessat(into, (name + [0]).map { CChar(bitPattern: $0) }, F_OK, 0) == 0)
    #expect(faccessat(into, [CChar(bitPattern: 0xC3), 0], F_OK, 0) == 0)
  }

  @Test("of an empty tree unpacks to nothing")
  func empty() throws {
    let tar = try write("a.tar", .none) { _ in }
    defer { close(tar) }
    #expect(try Untar.extract(from: tar, into: try scratch.directory("into"), limits: ArchiveLimits()).entries == 0)
  }

  @Test("with a flipped bit is refused or unpacks within its directory, and never crashes the reader")
  func flippedBits() throws {
    let contents = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ ($0 >> 5)) }
    close(try write("a.tar.zst", .zstd(level: 3, threads: 2)) { try $0.file(path: [0x61], bytes: contents) })
    let good = try Files.read("\(scratch.path)/a.tar.zst")
    for position in stride(from: 0, to: good.count, by: max(1, good.count / 97)) {
      var bad = good
      bad[position] ^= 0x10
      let file = try scratch.file("bad", bad)
      defer { close(file) }
      let into = try scratch.directory("into")
      defer { close(into) }
      _ = try? Untar.extract(from: file, into: into, limits: ArchiveLimits())  // either way is right
    }
    #expect(try Set(Files.names(in: scratch.path)) == ["a.tar.zst", "bad", "into"])
  }

  @Test("from a pipe is read to the pipe's end, behind the archive's")
  func drainsPipe() throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (readEnd, writeEnd) = (ends[0], ends[1])
    let tar = RawEntry(path: "a", contents: "x").bytes + [UInt8](repeating: 0, count: 300 << 10)
    startThread {
      _ = try? Files.writeAll(tar, to: writeEnd, name: "pipe")  // checked below: the reader finds the end
      close(writeEnd)
    }
    _ = try Untar.extract(from: readEnd, into: try scratch.directory("into"), limits: ArchiveLimits())
    var byte: UInt8 = 0
    #expect(read(readEnd, &byte, 1) == 0)
    close(readEnd)
  }

  @Test("of a tree is the same bytes whatever the order and the times of its files")
  func deterministic() throws {
    for (tree, order) in [("one", [0, 1, 2, 3]), ("two", [3, 1, 0, 2])] {
      try Files.makeDirectory("\(scratch.path)/\(tree)/sub")
      for index in order {
        close(try scratch.file("\(tree)/sub/f\(index)", [UInt8](repeating: UInt8(index), count: 70_000)))
      }
      symlink("f1", "\(scratch.path)/\(tree)/sub/link")
    }
    let time = timespec(tv_sec: 5, tv_nsec: 0)
    utimensat(AT_FDCWD, "\(scratch.path)/two/sub/f1", [time, time], 0)
    for tree in ["one", "two"] {
      close(
        try write("\(tree).tar.zst", .zstd(level: 3, threads: 2)) {
          _ = try TarTree.write(directory: try scratch.directory(tree), to: $0)
        })
    }
    #expect(try Files.read("\(scratch.path)/one.tar.zst") == Files.read("\(scratch.path)/two.tar.zst"))
  }

  @Test("of a tree leaves out what is excluded, and counts pipes")
  func excluded() throws {
    try Files.makeDirectory("\(scratch.path)/tree/.git/objects")
    close(try scratch.file("tree/kept", [1]))
    mkfifo("\(scratch.path)/tree/pipe", 0o600)
    var summary = ArchiveSummary()
    let tar = try write("a.tar", .none) {
      summary = try TarTree.write(directory: try scratch.directory("tree"), to: $0) { path, _ in
        path == Array(".git".utf8)
      }
    }
    defer { close(tar) }
    #expect(summary.entries == 1)
    #expect(summary.leftOut == 1)
    _ = try Untar.extract(from: tar, into: try scratch.directory("into"), limits: ArchiveLimits())
    #expect(try Files.names(in: "\(scratch.path)/into") == ["kept"])
  }

  @Test("whose file has another size than announced is not finished")
  func sizeMismatch() throws {
    let file = try scratch.file("a.tar")
    defer { close(file) }
    let writer = try TarWriter(descriptor: file, compression: .none)
    #expect(throws: ArchiveError.sizeMismatch(path: "a", announced: 3, written: 0)) {
      try writer.file(path: [0x61], mode: 0o644, size: 3) { _ in }
    }
  }
}
