import Glibc

/// Which file this is, and when it was written last (stat(2)). Two stamps are equal when nobody has touched the file
/// in between.
public struct FileStamp: Sendable, Hashable, CustomStringConvertible {
  public let device: UInt64
  public let inode: UInt64
  /// The user it belongs to.
  public let owner: UInt32
  /// Bytes.
  public let size: Int
  /// Time of the last change to its content: seconds since 1970, and nanoseconds.
  public let seconds: Int
  public let nanoseconds: Int

  /// Of what the path names, a link itself if it is one unless `followsLinks`; `nil` when that cannot be told.
  public init?(_ path: String, followsLinks: Bool = false) {
    var info = stat()
    guard (followsLinks ? stat(path, &info) : lstat(path, &info)) == 0 else { return nil }
    device = UInt64(info.st_dev)
    inode = UInt64(info.st_ino)
    owner = info.st_uid
    size = Int(info.st_size)
    seconds = info.st_mtim.tv_sec
    nanoseconds = info.st_mtim.tv_nsec
  }

  /// `DEVICE:INODE:SECONDS.NANOSECONDS:SIZE`.
  public var description: String { "\(device):\(inode):\(seconds).\(nanoseconds):\(size)" }
}

/// How long a read from this socket waits at most; it then fails with `EAGAIN` (socket(7), SO_RCVTIMEO).
public func limitReceiving(from socket: Int32, seconds: Int) {
  var limit = timeval(tv_sec: seconds, tv_usec: 0)
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
}
