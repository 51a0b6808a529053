import Glibc

extension Files {
  /// Removes a tree without following links; what is already gone is no error. Works on directories without
  /// permissions of their own, as long as this user owns them, and on any depth: a directory inside a directory is
  /// first moved up beside the first level, so neither stack nor descriptors grow with what an app made up.
  public static func removeTree(_ path: String) throws(SystemError) {
    var info = stat()
    if lstat(path, &info) != 0 {
      if errno == ENOENT { return }
      throw SystemError("look at '\(path)'")
    }
    guard info.st_mode & S_IFMT == S_IFDIR else {
      if unlink(path) != 0, errno != ENOENT { throw SystemError("remove '\(path)'") }
      return
    }
    try emptyDirectory(path)
    if rmdir(path) != 0, errno != ENOENT { throw SystemError("remove '\(path)'") }
  }

  private static func emptyDirectory(_ path: String) throws(SystemError) {
    let top = try openDirectory(at: AT_FDCWD, Array(path.utf8CString), in: path)
    defer { close(top) }
    while true {
      let names = try rawNames(in: top, of: path)
      if names.isEmpty { return }
      for name in names { try removeEntry(name, at: top, of: path) }
    }
  }

  /// Removes a file, or a directory after its files; its directories are moved up, for the next round.
  private static func removeEntry(_ name: [CChar], at top: Int32, of path: String) throws(SystemError) {
    if try removed(name, at: top, of: path) { return }
    let directory = try openDirectory(at: top, name, in: path)
    defer { close(directory) }
    for inner in try rawNames(in: directory, of: path) {
      if try removed(inner, at: directory, of: path) { continue }
      close(try openDirectory(at: directory, inner, in: path))  // makes it ours to move
      let place = "paas-removing-\(UInt64.random(in: 0 ... .max))"
      try checked("empty a directory in '\(path)'") { renameat(directory, inner, top, place) }
    }
    try checked("remove a directory in '\(path)'") { unlinkat(top, name, Int32(AT_REMOVEDIR)) }
  }

  /// `false`: it is a directory.
  private static func removed(_ name: [CChar], at parent: Int32, of path: String) throws(SystemError) -> Bool {
    if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return true }
    if errno == EISDIR { return false }
    throw SystemError("remove a file in '\(path)'")
  }

  /// Opens a directory, not a link to one, and gives its owner all rights in it.
  private static func openDirectory(at parent: Int32, _ name: [CChar], in path: String) throws(SystemError) -> Int32 {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    var descriptor = openat(parent, name, flags)
    if descriptor < 0, errno == EACCES {
      fchmodat(parent, name, 0o700, 0)  // whether it helped shows next
      descriptor = openat(parent, name, flags)
    }
    guard descriptor >= 0 else { throw SystemError("open a directory in '\(path)'") }
    fchmod(descriptor, 0o700)  // a directory of somebody else's keeps its mode, and says so when it is emptied
    return descriptor
  }

  /// The names as bytes: they need not be UTF-8.
  private static func rawNames(in descriptor: Int32, of path: String) throws(SystemError) -> [[CChar]] {
    let copy = try checked("list '\(path)'") { openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = fdopendir(copy) else {
      close(copy)
      throw SystemError("list '\(path)'")
    }
    defer { closedir(stream) }
    var names: [[CChar]] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        Array(bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }) + [0]
      }
      if name != [46, 0], name != [46, 46, 0] { names.append(name) }
    }
    return names
  }
}
