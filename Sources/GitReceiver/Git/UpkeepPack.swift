import Glibc
import Linux

/// A pack that upkeep has written under a temporary name, with its index.
struct UpkeepPack {
  static let prefix = "tmp_upkeep_"

  /// The path it will have, without suffix.
  let name: String
  private let temporary: String

  /// Writes the selected objects, durably. `modified`: the time to give to the pack. Throws ``GitError``.
  init(_ selection: ObjectSelection, in directory: String, modified: Int?) throws {
    temporary = "\(directory)/\(Self.prefix)\(getpid())_\(UInt32.random(in: 0 ... .max))"
    do {
      let trailer = try Self.write(selection, to: temporary, modified)
      name = "\(directory)/pack-\(ObjectID(trailer))"
    } catch {
      Self.remove(temporary)
      throw error
    }
  }

  private static func write(_ selection: ObjectSelection, to path: String, _ modified: Int?) throws -> [UInt8] {
    let file = try checked("create '\(path).pack'") {
      open("\(path).pack", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o444)
    }
    defer { close(file) }
    let sink = PackSink(payload: 1 << 20, headroom: 0) { block in
      var offset = 0
      while offset < block.count {
        offset += try checked("write '\(path).pack'") {
          Glibc.write(file, block.baseAddress.map { $0 + offset }, block.count - offset)
        }
      }
    }
    var entries: [PackIndexWriter.Entry] = []
    entries.reserveCapacity(selection.count)
    let store = selection.store
    var writer = PackWriter(selection, to: sink, options: PackWriter.Options()) { number, offset, checksum in
      entries.append(
        PackIndexWriter.Entry(id: store.id(of: number), offset: UInt64(offset), checksum: checksum))
    }
    let trailer = try writer.write()
    entries.sort { $0.id < $1.id }
    try PackIndexWriter.write(entries, pack: trailer, to: "\(path).idx")
    if let modified {
      let times = [timespec(tv_sec: modified, tv_nsec: 0), timespec(tv_sec: modified, tv_nsec: 0)]
      try checked("set the time of '\(path).pack'") { futimens(file, times) }
    }
    try checked("sync '\(path).pack'") { fsync(file) }
    let index = try checked("open '\(path).idx'") { open("\(path).idx", O_RDONLY | O_CLOEXEC) }
    defer { close(index) }
    try checked("sync '\(path).idx'") { fsync(index) }
    return trailer
  }

  /// Gives both files their names, the pack first: what has an index is whole.
  func publish() throws {
    for suffix in [".pack", ".idx"] {
      try checked("rename '\(temporary)\(suffix)'") { rename("\(temporary)\(suffix)", "\(name)\(suffix)") }
    }
  }

  /// Removes what was not published.
  func removeTemporary() { Self.remove(temporary) }

  private static func remove(_ path: String) {
    for suffix in [".pack", ".idx"] { unlink(path + suffix) }
  }
}
