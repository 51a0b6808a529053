import Glibc
import Hummingbird
import Linux
import NIOCore
import Wire

/// Copies a request's body to a file, a megabyte at a time, each write on a thread of its own.
enum SourceUpload {
  /// The largest source tarball, in bytes; the worker has limits of its own for what is in it.
  static let limit: Int64 = 4 << 30
  private static let batch = 1 << 20

  /// Throws ``APIError`` for a body over the limit, and what the connection throws when it ends too early: then the
  /// file is gone again.
  static func copy(_ body: RequestBody, to path: String) async throws {
    let file = try await blocking {
      try checked("create '\(path)'") { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    }
    do {
      try await write(body, to: file, path: path)
      close(file)
    } catch {
      close(file)
      unlink(path)
      throw error
    }
  }

  private static func write(_ body: RequestBody, to file: Int32, path: String) async throws {
    var total: Int64 = 0
    var waiting: [UInt8] = []
    for try await buffer in body {
      total += Int64(buffer.readableBytes)
      guard total <= limit else {
        throw APIError(
          id: "too_large", message: "the source is larger than \(limit >> 30) GiB",
          next: "list unneeded files in .slugignore, or keep them out of the repository")
      }
      waiting += buffer.readableBytesView
      if waiting.count >= batch {
        try await flush(waiting, to: file, path: path)
        waiting.removeAll(keepingCapacity: true)
      }
    }
    try await flush(waiting, to: file, path: path)
  }

  private static func flush(_ bytes: [UInt8], to file: Int32, path: String) async throws {
    try await blocking { try Files.writeAll(bytes, to: file, name: path) }
  }
}
