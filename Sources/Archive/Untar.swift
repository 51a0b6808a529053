internal import CArchive
internal import Glibc
internal import Linux

/// Unpacks tar streams (GNU, POSIX and old; plain, gzip or zstd) that nobody vouches for.
public enum Untar {
  /// Unpacks into the open directory, and nowhere else: paths are walked from its descriptor without following links.
  /// Files, directories, symbolic and hard links inside the tree are made; setuid, setgid and sticky bits, owners and
  /// extended attributes are dropped; anything else refuses the whole archive. Later entries replace earlier files.
  /// Reads the descriptor to its end, so that who writes into a pipe is not cut off behind the last entry.
  /// Damage inside a compressed file need not be noticed: compare a hash of the archive where that matters.
  /// Throws ``ArchiveError``; what was unpacked until then stays.
  public static func extract(
    from descriptor: Int32, into directoryDescriptor: Int32, limits: ArchiveLimits
  ) throws -> ArchiveSummary {
    do {
      var extraction = try Extraction(descriptor: descriptor, directory: directoryDescriptor, limits: limits)
      let summary = try extraction.run()
      try drain(descriptor)
      return summary
    } catch let error as SystemError {
      throw ArchiveError.system(error)
    }
  }

  private static func drain(_ descriptor: Int32) throws(SystemError) {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while try checked("read the archive's end", { read(descriptor, &buffer, buffer.count) }) > 0 {}
  }
}

/// One run of ``Untar``.
private struct Extraction {
  private let reader: Reader
  private let target: TreeTarget
  private let limits: ArchiveLimits
  private var summary = ArchiveSummary()

  init(descriptor: Int32, directory: Int32, limits: ArchiveLimits) throws {
    reader = try Reader(descriptor: descriptor)
    target = TreeTarget(root: directory)
    self.limits = limits
  }

  mutating func run() throws -> ArchiveSummary {
    while let entry = try reader.next() {
      summary.entries += 1
      guard summary.entries <= limits.entries else { throw ArchiveError.tooManyEntries(limit: limits.entries) }
      try unpack(entry)
    }
    return summary
  }

  private mutating func unpack(_ entry: OpaquePointer) throws {
    let bytes = try cBytes(archive_entry_pathname(entry))
    let path = try EntryPath(bytes, limit: limits.pathBytes)
    if let link = archive_entry_hardlink(entry) {
      return try target.hardLink(path, to: EntryPath(try cBytes(link), limit: limits.pathBytes))
    }
    let mode = archive_entry_perm(entry) & 0o777
    switch archive_entry_filetype(entry) {
    case S_IFREG: try file(path, entry, mode: mode, shown: shown(bytes))
    case S_IFDIR: try target.directory(path, mode: mode)
    case S_IFLNK:
      let link = try cBytes(archive_entry_symlink(entry))
      guard limits.links == .anywhere || path.keepsInside(target: link) else {
        throw ArchiveError.entryRefused(path: shown(bytes), reason: "is a link out of the tree, to '\(shown(link))'")
      }
      try target.symlink(path, target: link)
    default:
      throw ArchiveError.entryRefused(path: shown(bytes), reason: "is no file, directory or link")
    }
  }

  private mutating func file(_ path: EntryPath, _ entry: OpaquePointer, mode: mode_t, shown: String) throws {
    let size = archive_entry_size(entry)
    let (sum, overflow) = summary.bytes.addingReportingOverflow(size)
    guard size >= 0, !overflow, sum <= limits.totalBytes else {
      throw ArchiveError.tooLarge(limit: limits.totalBytes)
    }
    summary.bytes = sum
    let descriptor = try target.file(path)
    defer { close(descriptor) }
    let end = try reader.copyData(to: descriptor, size: size, shown: shown)
    if end < size { try checked("set the size of '\(shown)'") { ftruncate(descriptor, off_t(size)) } }
    try checked("set the mode of '\(shown)'") { fchmod(descriptor, mode) }
    if archive_entry_mtime_is_set(entry) != 0 {
      let time = timespec(tv_sec: archive_entry_mtime(entry), tv_nsec: 0)
      try checked("set the time of '\(shown)'") { futimens(descriptor, [time, time]) }
    }
  }

  private func cBytes(_ text: UnsafePointer<CChar>?) throws(ArchiveError) -> [UInt8] {
    guard let text else { throw .entryRefused(path: "?", reason: "has a name that cannot be read") }
    return UnsafeBufferPointer(start: text, count: strlen(text)).map { UInt8(bitPattern: $0) }
  }
}

/// A libarchive reader, freed with its owner.
private final class Reader {
  private let handle: OpaquePointer

  init(descriptor: Int32) throws(ArchiveError) {
    guard let handle = archive_read_new() else {
      throw .library(action: "read an archive", reason: "out of memory")
    }
    self.handle = handle
    try archived(handle, "read tar") { archive_read_support_format_tar(handle) }
    try archived(handle, "read gzip") { archive_read_support_filter_gzip(handle) }
    try archived(handle, "read zstd") { archive_read_support_filter_zstd(handle) }
    try archived(handle, "open the archive") { archive_read_open_fd(handle, descriptor, 64 << 10) }
  }

  deinit { archive_read_free(handle) }

  /// The next entry, borrowed until the next call; `nil` at the end. A warning means that something would be lost.
  func next() throws(ArchiveError) -> OpaquePointer? {
    var entry: OpaquePointer?
    let status = archive_read_next_header(handle, &entry)
    if status == ARCHIVE_EOF { return nil }
    guard status == ARCHIVE_OK else { throw libraryError(handle, "read the archive", status) }
    return entry
  }

  /// Copies the entry's data to its places in the file; returns the offset behind the last byte.
  func copyData(to descriptor: Int32, size: Int64, shown: String) throws -> Int64 {
    var end: Int64 = 0
    while true {
      var block: UnsafeRawPointer?
      var count = 0
      var offset: Int64 = 0
      let status = archive_read_data_block(handle, &block, &count, &offset)
      if status == ARCHIVE_EOF { return end }
      guard status == ARCHIVE_OK else { throw libraryError(handle, "read '\(shown)'", status) }
      guard offset >= 0, offset <= size, Int64(count) <= size - offset else {
        throw ArchiveError.entryRefused(path: shown, reason: "holds more data than it announces")
      }
      var done = 0
      while done < count {
        done += try checked("write '\(shown)'") {
          pwrite(descriptor, block.map { $0 + done }, count - done, off_t(offset) + done)
        }
      }
      end = max(end, offset + Int64(count))
    }
  }
}
