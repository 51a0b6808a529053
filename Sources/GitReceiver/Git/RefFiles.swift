import Glibc
import Linux

/// What a ref holds.
enum RefValue: Equatable, Sendable {
  case id(ObjectID)
  /// Another ref's name.
  case symbolic([UInt8])
  /// A file that is neither.
  case broken
}

/// The refs of a repository as they lie in its files: loose ones, which count first, and `packed-refs`
/// (gitrepository-layout(5), git-pack-refs(1)). Names are bytes, as git has them. For one thread.
final class RefFiles {
  /// Where `refs/`, `packed-refs` and `HEAD` lie.
  let directory: String
  private var packed = PackedRefs()

  init(_ directory: String) { self.directory = directory }

  /// A path below ``directory``, for C.
  func path(_ name: some Sequence<UInt8>, suffix: String = "") -> [CChar] {
    (Array(directory.utf8) + [UInt8(ascii: "/")] + name + Array(suffix.utf8) + [0]).map { CChar(bitPattern: $0) }
  }

  /// `nil`: there is no such ref. Throws ``SystemError``.
  func value(of name: [UInt8]) throws(SystemError) -> RefValue? {
    if let loose = try loose(name) { return loose }
    return try packedRefs().id(of: name).map { .id($0) }
  }

  /// Follows symbolic refs, five at most: the name of the last, and what it names.
  func resolve(_ name: [UInt8]) throws(SystemError) -> (name: [UInt8], id: ObjectID?)? {
    var name = name
    for _ in 0..<6 {
      switch try value(of: name) {
      case nil: return (name, nil)
      case .id(let id): return (name, id)
      case .symbolic(let next): name = next
      case .broken: return nil
      }
    }
    return nil
  }

  /// `packed-refs` as it is now.
  func packedRefs() throws(SystemError) -> PackedRefs {
    if let fresh = try PackedRefs.read("\(directory)/packed-refs", unlessStill: packed) { packed = fresh }
    return packed
  }

  private func loose(_ name: [UInt8]) throws(SystemError) -> RefValue? {
    let path = path(name)
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 {
      // Something of that name may be missing, be a directory, or lie below a file.
      if errno == ENOENT || errno == ENOTDIR || errno == EISDIR { return nil }
      throw SystemError("read '\(shown(name))'")
    }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 4096 + 8)
    let count = read(file, &buffer, buffer.count)
    if count < 0, errno == EISDIR { return nil }
    guard count >= 0 else { throw SystemError("read '\(shown(name))'") }
    return Self.parse(buffer[..<count])
  }

  static func parse(_ bytes: ArraySlice<UInt8>) -> RefValue {
    var bytes = bytes
    while let last = bytes.last, last == 10 || last == 13 || last == 32 || last == 9 { bytes = bytes.dropLast() }
    if bytes.starts(with: "ref:".utf8) { return .symbolic(Array(bytes.dropFirst(4).drop { $0 == 32 || $0 == 9 })) }
    return ObjectID(bytes.prefix(40)).map { .id($0) } ?? .broken
  }
}

// MARK: All of them

extension RefFiles {
  /// Every ref below `refs/` in the order of names, symbolic ones resolved; those that lead nowhere are left out.
  func all() throws(SystemError) -> [(name: [UInt8], id: ObjectID)] {
    var values: [[UInt8]: ObjectID] = [:]
    // The loose ones first: one that is packed in between would otherwise be in neither.
    var found: [[UInt8]] = []
    try collect(Array("refs".utf8), into: &found)
    var loose: [(name: [UInt8], id: ObjectID?)] = []
    for name in found { loose.append((name, try resolve(name)?.id)) }
    for (name, id) in try packedRefs().refs { values[name] = id }
    for (name, id) in loose { values[name] = id }
    return values.map { ($0.key, $0.value) }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
  }

  /// The names of loose refs below a directory.
  private func collect(_ directory: [UInt8], into found: inout [[UInt8]]) throws(SystemError) {
    for (name, isDirectory) in try names(in: directory) where !name.starts(with: ".".utf8) {
      let whole = directory + [UInt8(ascii: "/")] + name
      if isDirectory {
        try collect(whole, into: &found)
      } else if !name.hasSuffix(".lock") {
        found.append(whole)
      }
    }
  }

  private func names(in directory: [UInt8]) throws(SystemError) -> [(name: [UInt8], isDirectory: Bool)] {
    guard let stream = opendir(path(directory)) else {
      if errno == ENOENT || errno == ENOTDIR { return [] }
      throw SystemError("list '\(shown(directory))'")
    }
    defer { closedir(stream) }
    var names: [(name: [UInt8], isDirectory: Bool)] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: UInt8.self, capacity: 256) { Array(UnsafeBufferPointer(start: $0, count: strlen($0))) }
      }
      guard name != [46], name != [46, 46] else { continue }
      var isDirectory = entry.pointee.d_type == DT_DIR
      if entry.pointee.d_type == DT_UNKNOWN || entry.pointee.d_type == DT_LNK {
        var info = stat()
        isDirectory =
          stat(path(directory + [UInt8(ascii: "/")] + name), &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
      }
      names.append((name, isDirectory))
    }
    return names
  }

  /// A ref that makes `name` impossible: one above it (`refs/heads/a` for `refs/heads/a/b`) or below it.
  func conflict(with name: [UInt8], ignoring leaving: Set<[UInt8]> = []) throws(SystemError) -> [UInt8]? {
    let slashes = name.indices.filter { name[$0] == UInt8(ascii: "/") }
    for slash in slashes.dropFirst() {
      let above = Array(name[..<slash])
      if !leaving.contains(above), try value(of: above) != nil { return above }
    }
    let below = name + [UInt8(ascii: "/")]
    if let packed = try packedRefs().first(below: below, where: { !leaving.contains($0) }) { return packed }
    var loose: [[UInt8]] = []
    try collect(name, into: &loose)
    return loose.sorted { $0.lexicographicallyPrecedes($1) }.first { !leaving.contains($0) }
  }

  /// Whether a directory is where the ref's file would be; empty ones are removed.
  func isBlocked(_ name: [UInt8]) -> Bool {
    removeEmptyDirectories(at: name)
    var info = stat()
    return lstat(path(name), &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
  }

  /// Removes empty directories at the name, as far as they are empty.
  func removeEmptyDirectories(at name: [UInt8]) {
    guard let inside = try? names(in: name) else { return }  // what cannot be listed is not empty
    for (child, isDirectory) in inside where isDirectory {
      removeEmptyDirectories(at: name + [UInt8(ascii: "/")] + child)
    }
    rmdir(path(name))
  }

  /// Removes the directories above the name that have become empty, but not `refs/heads` and its like.
  func removeEmptyParents(of name: [UInt8], below root: [UInt8] = []) {
    var parts = name.split(separator: UInt8(ascii: "/"))
    while parts.count > 3 {
      parts.removeLast()
      if rmdir(path(root + Array(parts.joined(separator: [UInt8(ascii: "/")])))) != 0 { return }
    }
  }
}

extension Collection where Element == UInt8 {
  func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
