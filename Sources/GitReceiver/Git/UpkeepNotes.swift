import Glibc
import Linux
import Platform

/// Notes of what refs are about to name: files with one id per line, for two weeks.
extension Upkeep {
  /// A push may note one list of each kind.
  enum NoteKind: String {
    /// Everything that the push wants its refs to name, before its objects leave the quarantine.
    case refs
    /// The commit of a build that goes live.
    case build
  }

  private static func expected(_ repository: String) -> String { "\(repository)/expected" }

  /// Notes, durably, that refs will move to these objects. To be called under the repository's lock, by whoever moves
  /// the objects out of the quarantine, or before.
  static func expect(_ ids: [ObjectID], by push: PushID, _ kind: NoteKind, in repository: String) throws {
    guard !ids.isEmpty else { return }
    let directory = expected(repository)
    try Files.makeDirectory(directory, mode: 0o700)
    try forgetOld(directory, before: time(nil) - Int(graceTime.components.seconds))
    try Files.writeDurably(ids.map { "\($0)\n" }.joined().utf8, to: "\(directory)/\(push).\(kind.rawValue)")
  }

  /// What is so noted; forgets what has had two weeks to move.
  func expected() throws -> [ObjectID] {
    let directory = Self.expected(path)
    guard Files.exists(directory) else { return [] }
    try Self.forgetOld(directory, before: horizon)
    return try Files.names(in: directory).flatMap { name in
      try Files.text("\(directory)/\(name)").split(separator: "\n").compactMap { UploadRequest.id($0) }
    }
  }

  private static func forgetOld(_ directory: String, before horizon: Int) throws {
    for name in try Files.names(in: directory) {
      var info = stat()
      guard stat("\(directory)/\(name)", &info) == 0, info.st_mtim.tv_sec < horizon else { continue }
      unlink("\(directory)/\(name)")
    }
  }
}
