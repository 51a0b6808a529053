/// What one push may cost. Every limit is checked before memory or disk is used for it.
struct PackLimits: Sendable {
  /// Bytes of the pack as it arrives.
  var packBytes: UInt64 = 2 << 30
  var objects = 10_000_000
  /// Bytes of one inflated object.
  var objectBytes = 512 << 20
  /// Bytes inflated in all, objects that are made again while deltas are resolved included.
  var inflatedBytes: UInt64 = 16 << 30
  /// Deltas between an object and its whole base.
  var deltaDepth = 4096
  /// Bytes of bases that are held while their deltas are resolved; above it, bases are made again when needed.
  var heldBytes = 256 << 20
}

/// Counts inflated bytes against their limit.
struct InflateBudget {
  private let limits: PackLimits
  private var spent: UInt64 = 0

  init(_ limits: PackLimits) { self.limits = limits }

  /// Checks one object's size and adds it to the sum. Throws ``GitError`` of kind `limit`.
  mutating func spend(_ size: UInt64) throws(GitError) {
    guard size <= UInt64(limits.objectBytes) else {
      throw GitError(
        .limit,
        "an object of \(mebibytes(size)) MiB is in the pack, the limit is \(mebibytes(UInt64(limits.objectBytes))) MiB",
        next: "keep large files out of the repository, or fetch them while building")
    }
    spent += size
    guard spent <= limits.inflatedBytes else {
      throw GitError(
        .limit, "the pack inflates to more than \(mebibytes(limits.inflatedBytes)) MiB",
        next: "push the history in smaller steps")
    }
  }
}

private func mebibytes(_ bytes: UInt64) -> UInt64 { (bytes + (1 << 20) - 1) >> 20 }
