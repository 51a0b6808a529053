import Glibc
import Linux

/// The history of refs in `logs/` (git-reflog(1)).
struct RefLogs {
  enum Rule: Equatable, Sendable {
    /// Only where there is a log already.
    case existing
    /// Branches, remote branches, notes and HEAD.
    case usual
    /// Every ref.
    case always
  }

  let rule: Rule
  /// `NAME <EMAIL>`
  let identity: String
  /// Now, or what `GIT_COMMITTER_DATE` says, as `SECONDS ZONE`.
  let date: String?

  /// Adds a line, where there is a log or should be one. Throws ``SystemError``.
  func append(_ name: [UInt8], old: ObjectID, new: ObjectID, in refs: RefFiles) throws(SystemError) {
    let log = Array("logs/".utf8) + name
    let path = refs.path(log)
    var flags = O_WRONLY | O_APPEND | O_CLOEXEC
    if makesLog(name) {
      flags |= O_CREAT
      let parent = log[..<(log.lastIndex(of: UInt8(ascii: "/")) ?? log.startIndex)]
      try Files.makeDirectory(
        String(decoding: refs.path(parent).dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    var file = open(path, flags, 0o666)
    if file < 0, errno == EISDIR {
      refs.removeEmptyDirectories(at: log)
      file = open(path, flags, 0o666)
    }
    if file < 0, errno == ENOENT || errno == ENOTDIR || errno == EISDIR { return }
    guard file >= 0 else { throw SystemError("open the log of '\(shown(name))'") }
    defer { close(file) }
    let line = "\(old) \(new) \(identity) \(date ?? Self.now())\tpush\n"
    try Files.writeAll(Array(line.utf8), to: file, name: "the log of '\(shown(name))'")
  }

  /// A ref that is deleted takes its log with it.
  func remove(_ name: [UInt8], in refs: RefFiles) {
    let log = Array("logs/".utf8) + name
    if unlink(refs.path(log)) == 0 { refs.removeEmptyParents(of: name, below: Array("logs/".utf8)) }
  }

  private func makesLog(_ name: [UInt8]) -> Bool {
    switch rule {
    case .existing: false
    case .always: true
    case .usual:
      name == Array("HEAD".utf8)
        || ["refs/heads/", "refs/remotes/", "refs/notes/"].contains { name.starts(with: $0.utf8) }
    }
  }

  private static func now() -> String {
    var seconds = time(nil)
    var parts = tm()
    localtime_r(&seconds, &parts)
    let minutes = abs(parts.tm_gmtoff) / 60
    let zone = String(minutes / 60 * 100 + minutes % 60)
    let padding = String(repeating: "0", count: max(0, 4 - zone.utf8.count))
    return "\(seconds) \(parts.tm_gmtoff < 0 ? "-" : "+")\(padding)\(zone)"
  }
}
