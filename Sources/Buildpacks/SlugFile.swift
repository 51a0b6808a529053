internal import Crypto
internal import Glibc
internal import Linux
internal import Platform

/// A slug that is being received: hashed while it is copied, and not in its place before ``keep(in:)``.
struct SlugFile {
  let slug: Slug
  private let temporary: String

  /// Copies from the descriptor to its end and makes the file durable. A slug over the limit is counted to its end
  /// (four times the limit at most) without being stored, so that the failure can name its size.
  /// Throws ``Platform/DeployFailure`` (B04), `SystemError`.
  static func receive(from descriptor: Int32, temporary: String, limit: Int64) throws -> SlugFile {
    let file = try checked("create '\(temporary)'") {
      open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }
    defer { close(file) }
    do {
      var size: Int64 = 0
      var hash = SHA256()
      try readChunks(descriptor) { chunk in
        size += Int64(chunk.count)
        guard size <= limit * 4 else { throw tooLarge(size, limit, orMore: true) }
        guard size <= limit else { return }
        hash.update(bufferPointer: chunk)
        try write(chunk, to: file, name: temporary)
      }
      guard size <= limit else { throw tooLarge(size, limit, orMore: false) }
      try checked("sync '\(temporary)'") { fsync(file) }
      return SlugFile(slug: Slug(digest: try digest(hash), size: size), temporary: temporary)
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Renames it to `ab/abcdef….tar.zst`, durably. A file of that name holds the same bytes, or damaged ones.
  func keep(in directory: String) throws(SystemError) -> Slug {
    let name = slug.digest.description
    let parent = "\(directory)/\(name.prefix(2))"
    let path = "\(parent)/\(name).tar.zst"
    try Files.makeDirectory(parent, mode: 0o700)
    try checked("rename the slug to '\(path)'") { rename(temporary, path) }
    try Files.syncDirectory(of: path)
    try Files.syncDirectory(of: parent)
    return slug
  }

  func discard() { unlink(temporary) }

  private static func write(_ chunk: UnsafeRawBufferPointer, to file: Int32, name: String) throws {
    var offset = 0
    while offset < chunk.count {
      offset += try checked("write '\(name)'") {
        Glibc.write(file, chunk.baseAddress.map { $0 + offset }, chunk.count - offset)
      }
    }
  }

  private static func digest(_ hash: SHA256) throws -> SlugDigest {
    let digits = Array("0123456789abcdef")
    return try SlugDigest(String(hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }))
  }

  private static func tooLarge(_ size: Int64, _ limit: Int64, orMore: Bool) -> DeployFailure {
    DeployFailure(
      .slug, .slugTooLarge, "slug is \(orMore ? "more than " : "")\(humanSize(size)), limit is \(humanSize(limit))",
      next: "list unneeded files in .slugignore, commit and push again")
  }
}
