internal import Glibc
internal import Linux

/// A directory that is filled through its descriptor. Every step opens the next name without following links, so
/// nothing that an archive says leads out of it.
final class TreeTarget {
  private let root: Int32
  /// The directory of the last entry: archives list a directory's files one after the other.
  private var open: (components: [[UInt8]], descriptor: Int32)?

  /// Borrows the descriptor.
  init(root: Int32) { self.root = root }

  deinit { forget() }

  /// Makes the directory and those above it. An existing one keeps its contents and gets the mode.
  func directory(_ path: EntryPath, mode: mode_t) throws {
    let descriptor = try directory(path.components[...], of: path)
    try checked("set the mode of '\(text(path))'") { fchmod(descriptor, mode | 0o700) }
  }

  /// A new, empty file in place of what had the name. The caller closes it.
  func file(_ path: EntryPath) throws -> Int32 {
    try replace(path) { parent, name in
      openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    }
  }

  func symlink(_ path: EntryPath, target: [UInt8]) throws {
    _ = try replace(path) { parent, name in withCString(target) { symlinkat($0, parent, name) } }
  }

  /// A second name for a file that this tree already holds.
  func hardLink(_ path: EntryPath, to existing: EntryPath) throws {
    guard let name = existing.name else { throw refused(path, "is a hard link to the top directory") }
    let borrowed = try directory(existing.parent, of: path, make: false)
    let parent = try checked("open the directory of '\(text(existing))'") { fcntl(borrowed, F_DUPFD_CLOEXEC, 0) }
    defer { close(parent) }
    var info = stat()
    guard withCString(name, { fstatat(parent, $0, &info, AT_SYMLINK_NOFOLLOW) }) == 0 else {
      throw refused(path, "is a hard link to '\(text(existing))', which is not in the archive before it")
    }
    guard info.st_mode & S_IFMT == S_IFREG else {
      throw refused(path, "is a hard link to '\(text(existing))', which is no file")
    }
    guard path != existing else { return }
    _ = try replace(path) { directory, newName in withCString(name) { linkat(parent, $0, directory, newName, 0) } }
  }

  /// Runs `make` in the entry's directory; where the name is taken by something else than a directory, removes that
  /// and runs it again.
  private func replace(_ path: EntryPath, _ make: (Int32, UnsafePointer<CChar>) -> Int32) throws -> Int32 {
    guard let name = path.name else { throw refused(path, "takes the place of the top directory") }
    let parent = try directory(path.parent, of: path)
    return try withCString(name) { name in
      let first = make(parent, name)
      if first >= 0 { return first }
      guard errno == EEXIST else { throw SystemError("make '\(text(path))'") }
      if unlinkat(parent, name, 0) != 0 {
        if errno == EISDIR || errno == EPERM { throw refused(path, "takes the place of a directory") }
        throw SystemError("replace '\(text(path))'")
      }
      return try checked("make '\(text(path))'") { make(parent, name) }
    }
  }

  /// The directory's descriptor, borrowed from this object until the next call.
  private func directory(_ components: ArraySlice<[UInt8]>, of path: EntryPath, make: Bool = true) throws -> Int32 {
    if let open, open.components[...] == components { return open.descriptor }
    var descriptor = try checked("open the directory to unpack into") { fcntl(root, F_DUPFD_CLOEXEC, 0) }
    for name in components {
      let next = withCString(name) { enter(descriptor, $0, make: make) }
      let number = errno
      close(descriptor)
      if next < 0 { throw stepError(number, name, path) }
      descriptor = next
    }
    forget()
    open = (Array(components), descriptor)
    return descriptor
  }

  private func enter(_ parent: Int32, _ name: UnsafePointer<CChar>, make: Bool) -> Int32 {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let descriptor = openat(parent, name, flags)
    guard descriptor < 0, errno == ENOENT, make else { return descriptor }
    return mkdirat(parent, name, 0o755) == 0 ? openat(parent, name, flags) : -1
  }

  private func stepError(_ number: Int32, _ name: [UInt8], _ path: EntryPath) -> ArchiveError {
    switch number {
    case ELOOP, ENOTDIR: refused(path, "goes through '\(shown(name))', which is no directory")
    case ENOENT: refused(path, "needs '\(shown(name))', which is not in the archive before it")
    default: .system(SystemError("open the directory of '\(text(path))'", number))
    }
  }

  private func forget() {
    if let open { close(open.descriptor) }
    open = nil
  }

  private func text(_ path: EntryPath) -> String { shown(path.components.joined(separator: "/".utf8)) }
  private func refused(_ path: EntryPath, _ reason: String) -> ArchiveError {
    .entryRefused(path: text(path), reason: reason)
  }
}
