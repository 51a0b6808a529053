internal import CArchive
internal import Glibc

/// Writes a tar stream to a descriptor, in GNU format, so that paths are bytes and invalid UTF-8 survives.
/// Owner is always 0/0 without names; the same calls give the same bytes. Blocking: use it from a thread of its own.
public final class TarWriter {
  /// How the tar stream is packed.
  public enum Compression: Sendable {
    case none
    /// `threads` is explicit, because libarchive takes 0 for one. Frames carry no checksum of their own (libarchive
    /// 3.6 cannot ask for one), so readers that need to notice damage compare a hash of the whole archive.
    case zstd(level: Int, threads: Int)
  }

  private let handle: OpaquePointer
  private let entry: OpaquePointer

  /// Compressed bytes handed to the descriptor so far; after ``finish()`` all of them.
  public var bytesWritten: Int64 { archive_filter_bytes(handle, -1) }

  /// Starts an archive. The descriptor stays the caller's. Throws ``ArchiveError``.
  public init(descriptor: Int32, compression: Compression) throws(ArchiveError) {
    guard let handle = archive_write_new(), let entry = archive_entry_new() else {
      throw .library(action: "start an archive", reason: "out of memory")
    }
    self.handle = handle
    self.entry = entry
    try archived(handle, "choose the tar format") { archive_write_set_format_gnutar(handle) }
    switch compression {
    case .none: try archived(handle, "choose no compression") { archive_write_add_filter_none(handle) }
    case .zstd(let level, let threads):
      try archived(handle, "choose zstd") { archive_write_add_filter_zstd(handle) }
      let options = "zstd:compression-level=\(level),zstd:threads=\(max(1, threads))"
      try archived(handle, "set '\(options)'") { archive_write_set_options(handle, options) }
    }
    try archived(handle, "set the block size") { archive_write_set_bytes_per_block(handle, 64 << 10) }
    try archived(handle, "set the last block's size") { archive_write_set_bytes_in_last_block(handle, 1) }
    try archived(handle, "open the archive") { archive_write_open_fd(handle, descriptor) }
  }

  deinit {
    archive_entry_free(entry)
    archive_write_free(handle)
  }

  /// Adds a directory. `mode` holds permission bits only; `mtime` is seconds since 1970.
  public func directory(path: [UInt8], mode: UInt32 = 0o755, mtime: Int64 = 0) throws(ArchiveError) {
    try header(path: path, type: S_IFDIR, mode: mode, size: 0, mtime: mtime)
  }

  /// Adds a symbolic link, with its target as it is.
  public func symlink(path: [UInt8], target: [UInt8], mtime: Int64 = 0) throws(ArchiveError) {
    try header(path: path, type: S_IFLNK, mode: 0o777, size: 0, mtime: mtime, link: target)
  }

  /// Adds a file from memory.
  public func file(path: [UInt8], mode: UInt32 = 0o644, mtime: Int64 = 0, bytes: [UInt8]) throws {
    try file(path: path, mode: mode, size: Int64(bytes.count), mtime: mtime) { write in
      try bytes.withUnsafeBytes { try write($0) }
    }
  }

  /// Adds a file whose contents are streamed: `contents` calls its argument with each chunk, `size` bytes in all.
  /// Throws ``ArchiveError/sizeMismatch(path:announced:written:)`` when the sum differs; the archive is then void.
  public func file(
    path: [UInt8], mode: UInt32, size: Int64, mtime: Int64 = 0,
    contents: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    try header(path: path, type: S_IFREG, mode: mode, size: size, mtime: mtime)
    var written: Int64 = 0
    try contents { chunk in
      written += Int64(chunk.count)
      guard written <= size else {
        throw ArchiveError.sizeMismatch(path: shown(path), announced: size, written: written)
      }
      try data(chunk, path: path)
    }
    guard written == size else {
      throw ArchiveError.sizeMismatch(path: shown(path), announced: size, written: written)
    }
  }

  /// Writes the end of the archive. Without it, readers take the archive for torn.
  public func finish() throws(ArchiveError) {
    try archived(handle, "end the archive") { archive_write_close(handle) }
  }

  private func header(
    path: [UInt8], type: mode_t, mode: UInt32, size: Int64, mtime: Int64, link: [UInt8]? = nil
  ) throws(ArchiveError) {
    guard !path.isEmpty, !path.contains(0), link?.contains(0) != true else {
      throw .entryRefused(path: shown(path), reason: "is empty or holds a NUL byte")
    }
    archive_entry_clear(entry)
    withCString(path) { archive_entry_copy_pathname(entry, $0) }
    if let link { withCString(link) { archive_entry_copy_symlink(entry, $0) } }
    archive_entry_set_filetype(entry, UInt32(type))
    archive_entry_set_perm(entry, mode_t(mode & 0o777))
    archive_entry_set_size(entry, size)
    archive_entry_set_mtime(entry, time_t(mtime), 0)
    archive_entry_set_uid(entry, 0)
    archive_entry_set_gid(entry, 0)
    try archived(handle, "write the entry '\(shown(path))'") { archive_write_header(handle, entry) }
  }

  private func data(_ chunk: UnsafeRawBufferPointer, path: [UInt8]) throws(ArchiveError) {
    var offset = 0
    while offset < chunk.count {
      let count = archive_write_data(handle, chunk.baseAddress.map { $0 + offset }, chunk.count - offset)
      if count <= 0 { throw libraryError(handle, "write '\(shown(path))'", Int32(clamping: count)) }
      offset += count
    }
  }
}

/// Calls `body` with the bytes as a NUL-terminated C string.
func withCString<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
  let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
  return try terminated.withUnsafeBufferPointer { buffer in
    guard let base = buffer.baseAddress else { return try withUnsafePointer(to: 0, body) }
    return try body(base)
  }
}
