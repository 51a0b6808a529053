internal import Glibc
internal import Linux

/// Walks over a source tree.
enum Tree {
  /// Removes what `matching` names (relative paths in bytes), with everything below; returns how many it removed.
  static func remove(below top: String, matching: ([UInt8], Bool) -> Bool) throws -> Int {
    try remove(Array(top.utf8), [], matching)
  }

  private static func remove(_ top: [UInt8], _ path: [UInt8], _ matching: ([UInt8], Bool) -> Bool) throws -> Int {
    var removed = 0
    for (name, isDirectory) in try entries(in: full(top, path)) {
      let child = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
      if matching(child, isDirectory) {
        try erase(full(top, child), isDirectory: isDirectory)
        removed += 1
      } else if isDirectory {
        removed += try remove(top, child, matching)
      }
    }
    return removed
  }

  private static func erase(_ path: [CChar], isDirectory: Bool) throws {
    if isDirectory {
      for (name, isDirectory) in try entries(in: path) {
        let child = path.dropLast() + [CChar(bitPattern: UInt8(ascii: "/"))] + name.map(CChar.init(bitPattern:)) + [0]
        try erase(Array(child), isDirectory: isDirectory)
      }
    }
    try checked("remove '\(shown(path))'") { isDirectory ? rmdir(path) : unlink(path) }
  }

  private static func entries(in path: [CChar]) throws -> [(name: [UInt8], isDirectory: Bool)] {
    guard let stream = opendir(path) else { throw SystemError("list '\(shown(path))'") }
    defer { closedir(stream) }
    var result: [([UInt8], Bool)] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name == Array(".".utf8) || name == Array("..".utf8) { continue }
      var info = stat()
      let found = name.map(CChar.init(bitPattern:)) + [0]
      try checked("look at '\(shown(found))'") { fstatat(dirfd(stream), found, &info, AT_SYMLINK_NOFOLLOW) }
      result.append((name, info.st_mode & S_IFMT == S_IFDIR))
    }
    return result
  }

  private static func full(_ top: [UInt8], _ path: [UInt8]) -> [CChar] {
    ((path.isEmpty ? top : top + [UInt8(ascii: "/")] + path) + [0]).map(CChar.init(bitPattern:))
  }

  private static func shown(_ path: [CChar]) -> String {
    String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
