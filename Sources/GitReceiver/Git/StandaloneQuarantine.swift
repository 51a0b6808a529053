import Glibc
import Linux
import Platform

/// Where the objects of one push wait until its hooks agree: `objects/tmp_objdir-incoming-…`, which git's prune knows
/// for garbage. The living owner holds a kernel lock on the directory; ``sweep(_:)`` removes those of the dead.
final class StandaloneQuarantine {
  let path: String
  private let objects: String
  private let descriptor: Int32
  private static let prefix = "tmp_objdir-incoming-paas-"

  var packDirectory: String { "\(path)/pack" }

  /// `objects`: the repository's directory of objects.
  init(objects: String) throws {
    self.objects = objects
    while true {
      let path = "\(objects)/\(Self.prefix)\(UInt64.random(in: 0 ... .max))"
      try checked("make the directory '\(path)'") { mkdir(path, 0o700) }
      let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // A sweep that came before our lock took it for a dead one's.
      guard descriptor >= 0 else { continue }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, mkdir("\(path)/pack", 0o700) == 0 else {
        close(descriptor)
        continue
      }
      (self.path, self.descriptor) = (path, descriptor)
      return
    }
  }

  deinit {
    discard()
    close(descriptor)
  }

  /// Moves the packs into the repository, each `.pack` before its `.idx`, durably.
  func keep() throws {
    let destination = "\(objects)/pack"
    try Files.makeDirectory(destination)
    let names = try Files.names(in: packDirectory).filter { $0.hasPrefix("pack-") }.sorted()
    for suffix in [".pack", ".idx"] {
      for name in names where name.hasSuffix(suffix) {
        try sync("\(packDirectory)/\(name)")
        try checked("move '\(name)' out of quarantine") { rename("\(packDirectory)/\(name)", "\(destination)/\(name)") }
        Checkpoint.reach("push.pack-half-moved")
      }
    }
    if !names.isEmpty { try sync(destination) }
    discard()
  }

  /// Best effort: what stays is swept by the next push, or pruned by git.
  func discard() { try? Files.removeTree(path) }

  private func sync(_ path: String) throws {
    let file = try checked("open '\(path)'") { open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    try checked("sync '\(path)'") { fsync(file) }
  }

  /// Removes what killed receivers have left. git's own quarantines are left alone: they have no such lock.
  static func sweep(_ objects: String) throws {
    for name in try Files.names(in: objects) where name.hasPrefix(prefix) {
      let path = "\(objects)/\(name)"
      let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { try Files.removeTree(path) }
    }
  }
}
