import Linux
import Platform

/// Which pushes have handed their build to the server: an empty file per push, made before the request. After a restart
/// of the receiver their quarantines are kept, since their builds may still commit; all others are swept.
struct AcceptedPushes: Sendable {
  let directory: String

  init(directory: String) throws(SystemError) {
    self.directory = directory
    try Files.makeDirectory(directory, mode: 0o700)
  }

  func add(_ push: PushID) throws(SystemError) {
    try Files.writeDurably([], to: "\(directory)/\(push)")
  }

  /// A push that stays listed only keeps its quarantine until the next answer about it.
  func remove(_ push: PushID) {
    try? Files.removeTree("\(directory)/\(push)")
  }

  func all() throws(SystemError) -> Set<PushID> {
    Set(try Files.names(in: directory).compactMap { PushID($0) })
  }
}
