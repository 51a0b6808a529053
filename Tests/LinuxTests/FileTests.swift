import Glibc
import Linux
import Testing

@Suite("Files")
struct FileTests {
  private func temporaryDirectory() throws -> String {
    var template = Array("/tmp/paas-files-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError("make a temporary directory") }
    return String(cString: made)
  }

  @Test("a durable write replaces the whole file and leaves nothing beside it")
  func durable() throws {
    let directory = try temporaryDirectory()
    defer { try? Files.removeTree(directory) }
    try Files.writeDurably(Array("old and long".utf8), to: directory + "/f")
    try Files.writeDurably(Array("new".utf8), to: directory + "/f", mode: 0o640)
    #expect(try Files.text(directory + "/f") == "new")
    #expect(try Files.names(in: directory) == ["f"])
    var info = stat()
    #expect(stat(directory + "/f", &info) == 0)
    #expect(info.st_mode & 0o777 == 0o640)
  }

  @Test("removing a tree follows no link out of it")
  func removeTree() throws {
    let directory = try temporaryDirectory()
    let outside = try temporaryDirectory()
    defer { try? Files.removeTree(outside) }
    try Files.writeDurably([1], to: outside + "/kept")
    try Files.makeDirectory(directory + "/a/b/c")
    try Files.writeDurably([1], to: directory + "/a/b/f")
    symlink(outside, directory + "/a/link")
    chmod(directory + "/a/b", 0)
    try Files.removeTree(directory)
    #expect(!Files.exists(directory))
    #expect(Files.exists(outside + "/kept"))
    try Files.removeTree(directory)  // once more is no error
  }

  @Test("a tree deeper than any stack is removed")
  func deepTree() throws {
    let directory = try temporaryDirectory()
    var current = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    for _ in 0..<20_000 {
      #expect(mkdirat(current, "d", 0o755) == 0)
      let next = openat(current, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      close(current)
      current = next
    }
    close(current)
    try Files.removeTree(directory)
    #expect(!Files.exists(directory))
  }

  @Test("names that are no UTF-8 are removed too")
  func rawNames() throws {
    let directory = try temporaryDirectory()
    let name = Array(directory.utf8CString.dropLast()) + [47, CChar(bitPattern: 0xFF), CChar(bitPattern: 0xFE), 0]
    #expect(mkdir(name, 0o755) == 0)
    try Files.removeTree(directory)
    #expect(!Files.exists(directory))
  }

  @Test("a file longer than the limit is refused")
  func limit() throws {
    let directory = try temporaryDirectory()
    defer { try? Files.removeTree(directory) }
    try Files.writeDurably([UInt8](repeating: 0, count: 100), to: directory + "/f")
    #expect(throws: SystemError("read '\(directory)/f'", EFBIG)) { try Files.read(directory + "/f", limit: 99) }
  }
}
