import Glibc

/// Files that are whole or not there: temporary file, fsync, rename, fsync of the directory.
public enum Files {
  /// Replaces `path` durably. `mode` is the new file's mode. Throws ``SystemError``; the old file then still stands.
  public static func writeDurably(_ bytes: some Sequence<UInt8>, to path: String, mode: UInt32 = 0o600)
    throws(SystemError)
  {
    let temporary = "\(path).tmp.\(getpid()).\(UInt32.random(in: 0 ... .max))"
    let file = try checked("create '\(temporary)'") {
      open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    }
    do throws(SystemError) {
      defer { close(file) }
      try writeAll(Array(bytes), to: file, name: temporary)
      try checked("set the mode of '\(temporary)'") { fchmod(file, mode) }
      try checked("sync '\(temporary)'") { fsync(file) }
      try checked("rename '\(temporary)' to '\(path)'") { rename(temporary, path) }
    } catch {
      unlink(temporary)
      throw error
    }
    try syncDirectory(of: path)
  }

  /// Makes the names in the directory that holds `path` durable.
  public static func syncDirectory(of path: String) throws(SystemError) {
    let parent = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let directory = parent.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : parent
    let descriptor = try checked("open '\(directory)'") { open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(descriptor) }
    try checked("sync '\(directory)'") { fsync(descriptor) }
  }

  /// Writes everything, however often the kernel takes less.
  public static func writeAll(_ bytes: [UInt8], to file: Int32, name: String) throws(SystemError) {
    var failure: SystemError?
    bytes.withUnsafeBytes { raw in
      do throws(SystemError) { try writeAll(raw, to: file, name: name) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// As ``writeAll(_:to:name:)``, from memory that the caller owns.
  public static func writeAll(_ bytes: UnsafeRawBufferPointer, to file: Int32, name: String) throws(SystemError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = try checked("write '\(name)'") { write(file, rest.baseAddress, rest.count) }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
  }

  /// Writes everything at this place of the file, whose own position does not matter.
  public static func writeAll(at offset: UInt64, _ bytes: [UInt8], to file: Int32) throws(SystemError) {
    var failure: SystemError?
    bytes.withUnsafeBytes { raw in
      do throws(SystemError) { try writeAll(at: offset, raw, to: file) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Writes everything at this place of the file, whose own position does not matter.
  public static func writeAll(at offset: UInt64, _ bytes: UnsafeRawBufferPointer, to file: Int32) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      done += try checked("write \(bytes.count) bytes at \(offset)") {
        pwrite(file, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset) + off_t(done))
      }
    }
  }

  /// The whole file, up to `limit` bytes; a longer one throws EFBIG.
  public static func read(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
    let file = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = try checked("read '\(path)'") { Glibc.read(file, &buffer, buffer.count) }
      if count == 0 { return bytes }
      bytes.append(contentsOf: buffer[0..<count])
      if bytes.count > limit { throw SystemError("read '\(path)'", EFBIG) }
    }
  }

  /// The whole file as text; bytes that are no UTF-8 are replaced.
  public static func text(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> String {
    String(decoding: try read(path, limit: limit), as: UTF8.self)
  }

  /// Permission bits of what a path leads to; `nil` when that cannot be told.
  public static func mode(of path: String) -> UInt32? {
    var info = stat()
    return stat(path, &info) == 0 ? info.st_mode & 0o7777 : nil
  }

  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Makes the directory and those above it; an existing one keeps its mode.
  public static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
    if mkdir(path, mode) == 0 || errno == EEXIST { return }
    if errno == ENOENT {
      let parent = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
      if !parent.isEmpty, parent != path {
        try makeDirectory(parent, mode: mode)
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
      }
    }
    throw SystemError("make the directory '\(path)'")
  }

  /// The names in a directory without `.` and `..`, in no order; names that are no UTF-8 are left out.
  public static func names(in path: String) throws(SystemError) -> [String] {
    guard let stream = opendir(path) else { throw SystemError("list '\(path)'") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = entryName(entry)
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  private static func entryName(_ entry: UnsafeMutablePointer<dirent>) -> String {
    withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
  }
}
