import Glibc
import Linux
import Platform

/// Where the objects of one push wait until its build is live: `APPID.git/quarantine/PUSHID`. Nothing else sees them.
struct Quarantine: Sendable {
  let push: PushID
  let repository: String

  static let directoryName = "quarantine"

  var path: String { "\(repository)/\(Self.directoryName)/\(push)" }
  var packDirectory: String { "\(path)/objects/pack" }

  var exists: Bool { Files.exists(path) }

  func create() throws {
    try Files.makeDirectory(packDirectory, mode: 0o700)
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

  private func sync(_ path: String) throws {
    let descriptor = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    try checked("sync '\(path)'") { fsync(descriptor) }
  }
}
