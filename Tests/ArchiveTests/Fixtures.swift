import Archive
import Glibc
import Linux
import Testing

/// A directory that is removed with its owner.
final class Scratch {
  let path: String
  let descriptor: Int32

  init() throws {
    var template = Array("/tmp/paas-archive-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    descriptor = try checked("open '\(path)'") { [path] in open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
  }

  deinit {
    close(descriptor)
    try? Files.removeTree(path)  // nothing to do about it in a test's end
  }

  /// A new file's descriptor, positioned at the start, holding `bytes`.
  func file(_ name: String, _ bytes: [UInt8] = []) throws -> Int32 {
    let file = try checked("make '\(name)'") { open("\(path)/\(name)", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
    try Files.writeAll(bytes, to: file, name: name)
    lseek(file, 0, SEEK_SET)
    return file
  }

  func directory(_ name: String) throws -> Int32 {
    try Files.makeDirectory("\(path)/\(name)")
    return try checked("open '\(name)'") { open("\(path)/\(name)", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
  }

  func text(_ name: String) throws -> String { try Files.text("\(path)/\(name)") }

  func mode(_ name: String) throws -> UInt32 {
    var info = stat()
    try checked("look at '\(name)'") { lstat("\(path)/\(name)", &info) }
    return info.st_mode
  }
}

/// One raw entry of a POSIX tar, written by hand so that it can be as wrong as an attacker likes.
struct RawEntry {
  var path: String
  var type: Character = "0"
  var mode = 0o644
  var link = ""
  var contents = ""
  var announcedSize: Int?

  var bytes: [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at offset: Int) {
      for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
    }
    func octal(_ value: Int, _ width: Int) -> String {
      let digits = String(value, radix: 8)
      return String(repeating: "0", count: width - digits.count) + digits
    }
    put(path, at: 0)
    put(octal(mode, 7), at: 100)
    put(octal(0, 7), at: 108)
    put(octal(0, 7), at: 116)
    put(octal(announcedSize ?? contents.utf8.count, 11), at: 124)
    put(octal(0, 11), at: 136)
    put(String(type), at: 156)
    put(link, at: 157)
    put("ustar", at: 257)
    put("00", at: 263)
    put("        ", at: 148)
    put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\0", at: 148)
    let padding = (512 - contents.utf8.count % 512) % 512
    return header + Array(contents.utf8) + [UInt8](repeating: 0, count: padding)
  }
}

/// Unpacks the entries into `into` below the scratch directory.
@discardableResult
func unpack(_ entries: [RawEntry], in scratch: Scratch, limits: ArchiveLimits = ArchiveLimits()) throws
  -> ArchiveSummary
{
  let tar = try scratch.file("archive.tar", entries.flatMap(\.bytes) + [UInt8](repeating: 0, count: 1024))
  defer { close(tar) }
  let into = try scratch.directory("into")
  defer { close(into) }
  return try Untar.extract(from: tar, into: into, limits: limits)
}

/// Expects that the archive is refused with a reason that holds `reason`.
func expectRefused(
  _ entries: [RawEntry], in scratch: Scratch, reason: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(sourceLocation: sourceLocation) {
    try unpack(entries, in: scratch)
  } throws: { error in
    guard case ArchiveError.entryRefused(_, let text)? = error as? ArchiveError else { return false }
    return text.contains(reason)
  }
}
