internal import Glibc
internal import Linux

/// Writes a directory tree into an archive so that the same tree always gives the same bytes: names sorted by byte,
/// one fixed time, no owners.
public enum TarTree {
  /// 1980-01-01 00:00:01 UTC, as Cloud Native Buildpacks use: late enough for zip files.
  public static let fixedTime: Int64 = 315_532_801

  /// Adds everything below the open directory. `excluding` is asked with each path (relative, in bytes) and whether it
  /// is a directory; a directory that is left out is not entered. Sockets, pipes and devices are left out and counted.
  /// Links are stored, never followed. Throws ``ArchiveError``.
  public static func write(
    directory: Int32, to writer: TarWriter,
    excluding: (_ path: [UInt8], _ isDirectory: Bool) -> Bool = { _, _ in false }
  ) throws -> ArchiveSummary {
    var summary = ArchiveSummary()
    do {
      let copy = try checked("open the tree") { openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
      try walk(copy, path: [], to: writer, excluding, &summary)
    } catch let error as SystemError {
      throw ArchiveError.system(error)
    }
    return summary
  }

  /// Takes the descriptor over.
  private static func walk(
    _ directory: Int32, path: [UInt8], to writer: TarWriter, _ excluding: ([UInt8], Bool) -> Bool,
    _ summary: inout ArchiveSummary
  ) throws {
    guard let stream = fdopendir(directory) else {
      close(directory)
      throw SystemError("list '\(shown(path))'")
    }
    defer { closedir(stream) }
    for name in names(stream) {
      let child = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
      var info = stat()
      try checked("look at '\(shown(child))'") {
        withCString(name) { fstatat(directory, $0, &info, AT_SYMLINK_NOFOLLOW) }
      }
      let kind = info.st_mode & S_IFMT
      if excluding(child, kind == S_IFDIR) { continue }
      guard [S_IFDIR, S_IFLNK, S_IFREG].contains(kind) else {
        summary.leftOut += 1
        continue
      }
      summary.entries += 1
      if kind == S_IFDIR {
        try writer.directory(path: child, mode: info.st_mode & 0o777, mtime: fixedTime)
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        let next = try checked("open '\(shown(child))'") { withCString(name) { openat(directory, $0, flags) } }
        try walk(next, path: child, to: writer, excluding, &summary)
      } else if kind == S_IFLNK {
        try writer.symlink(path: child, target: try target(directory, name, child), mtime: fixedTime)
      } else {
        summary.bytes += try file(directory, name, path: child, to: writer)
      }
    }
  }

  private static func file(_ directory: Int32, _ name: [UInt8], path: [UInt8], to writer: TarWriter) throws -> Int64 {
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    let file = try checked("open '\(shown(path))'") { withCString(name) { openat(directory, $0, flags) } }
    defer { close(file) }
    var info = stat()
    try checked("look at '\(shown(path))'") { fstat(file, &info) }
    guard info.st_mode & S_IFMT == S_IFREG else {
      throw ArchiveError.entryRefused(path: shown(path), reason: "changed while it was read")
    }
    try writer.file(path: path, mode: info.st_mode & 0o777, size: Int64(info.st_size), mtime: fixedTime) { write in
      try withUnsafeTemporaryAllocation(byteCount: 128 << 10, alignment: 16) { buffer in
        while true {
          let count = try checked("read '\(shown(path))'") { read(file, buffer.baseAddress, buffer.count) }
          if count == 0 { return }
          try write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
      }
    }
    return Int64(info.st_size)
  }

  private static func target(_ directory: Int32, _ name: [UInt8], _ path: [UInt8]) throws -> [UInt8] {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = try checked("read the link '\(shown(path))'") {
      withCString(name) { readlinkat(directory, $0, &buffer, buffer.count) }
    }
    return buffer[..<count].map { UInt8(bitPattern: $0) }
  }

  /// Sorted by byte.
  private static func names(_ stream: OpaquePointer) -> [[UInt8]] {
    var names: [[UInt8]] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name != EntryPath.dot, name != EntryPath.dotDot { names.append(name) }
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }
}
