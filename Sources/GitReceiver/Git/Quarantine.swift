import Glibc
import Linux
import Platform

/// Where the objects of one push wait until its build is live: `APPID.git/quarantine/PUSHID`. Nothing else sees them.
struct Quarantine: Sendable {
  let push: PushID
  let repository: String
  /// The server that this receiver belongs to: another name for each of its processes.
  let server: String

  static let directoryName = "quarantine"

  var path: String { "\(repository)/\(Self.directoryName)/\(push)" }
  var packDirectory: String { "\(path)/objects/pack" }
  private var mark: String { "\(path)/offered" }

  var exists: Bool { Files.exists(path) }

  func create() throws {
    try Files.makeDirectory(packDirectory, mode: 0o700)
    try Upkeep.waitUntilNothingIsDropped(repository)
  }

  /// Notes which server is about to hear of this push: from now on its word decides over the quarantine, also after
  /// this process has ended.
  func markOffered() throws {
    try Files.writeDurably(server.utf8, to: mark)
  }

  /// Moves the packs into the repository, each `.pack` before its `.idx`, durably. What has been moved is no error.
  func keep() throws {
    guard exists else { return }
    let destination = "\(repository)/objects/pack"
    try Files.makeDirectory(destination)
    let names = try Files.names(in: packDirectory)
    for suffix in [".pack", ".idx"] {
      for name in names.sorted() where name.hasPrefix("pack-") && name.hasSuffix(suffix) {
        try sync("\(packDirectory)/\(name)")
        try checked("move '\(name)' out of quarantine") { rename("\(packDirectory)/\(name)", "\(destination)/\(name)") }
      }
    }
    try sync(destination)
    try discard()
  }

  func discard() throws {
    try Files.removeTree(path)
  }

  /// Left behind by a process that ended: nobody was told of it, or a server was that has ended too. No server goes on
  /// with a build of the one before, and what that had committed it had first moved out of here.
  func isAbandoned() throws(SystemError) -> Bool {
    guard Files.exists(mark) else { return true }
    return try Files.read(mark) != Array(server.utf8)
  }

  private func sync(_ path: String) throws {
    let descriptor = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    try checked("sync '\(path)'") { fsync(descriptor) }
  }
}
