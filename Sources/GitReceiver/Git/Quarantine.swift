import Glibc
import Linux
import Platform

/// Where the objects of one push wait until its build is live: `APPID.git/quarantine/PUSHID`. Nothing else sees them.
struct Quarantine: Sendable {
  let push: PushID
  let repository: String

  static let directoryName = "quarantine"
  /// A push whose build the server was asked for, and that nobody has asked for again, is over after this time.
  static let offeredLifetime: Duration = .seconds(24 * 60 * 60)

  var path: String { "\(repository)/\(Self.directoryName)/\(push)" }
  var packDirectory: String { "\(path)/objects/pack" }
  private var mark: String { "\(path)/offered" }

  var exists: Bool { Files.exists(path) }

  func create() throws {
    try Files.makeDirectory(packDirectory, mode: 0o700)
    try Upkeep.waitUntilNothingIsDropped(repository)
  }

  /// Notes that the server is about to hear of this push: from now on its word decides over the quarantine, also after
  /// this process has ended.
  func markOffered() throws {
    try Files.writeDurably([], to: mark)
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

  /// Left behind by a process that ended: nobody was told of it, or that was long ago.
  var isAbandoned: Bool {
    var info = stat()
    guard stat(mark, &info) == 0 else { return true }
    return time(nil) - info.st_mtim.tv_sec > Int(Self.offeredLifetime.components.seconds)
  }

  private func sync(_ path: String) throws {
    let descriptor = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    try checked("sync '\(path)'") { fsync(descriptor) }
  }
}
