/// What an archive may cost and hold when it is unpacked.
public struct ArchiveLimits: Sendable, Equatable {
  /// Which symbolic links are made. Unpacking itself never follows one, whatever stands here.
  public enum Links: Sendable, Equatable {
    /// Only links that stay inside the tree: relative, with `..` in front at most and never above the top.
    case insideTree
    /// Any target. For trees that are only ever read inside a sandbox: a slug may link to `/usr/bin/python3`.
    case anywhere
  }

  /// Entries of every kind.
  public var entries: Int
  /// Sum of the sizes of all files, in bytes, holes counted.
  public var totalBytes: Int64
  /// Length of one path, in bytes.
  public var pathBytes: Int
  public var links: Links

  public init(
    entries: Int = 500_000, totalBytes: Int64 = 4 << 30, pathBytes: Int = 4000, links: Links = .insideTree
  ) {
    self.entries = entries
    self.totalBytes = totalBytes
    self.pathBytes = pathBytes
    self.links = links
  }
}

/// What was written or unpacked.
public struct ArchiveSummary: Sendable, Equatable {
  public var entries = 0
  /// Sum of the files' sizes.
  public var bytes: Int64 = 0
  /// Sockets, pipes and devices that a tree held and its archive leaves out.
  public var leftOut = 0

  public init() {}
}
