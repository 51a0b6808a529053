/// A response's head (RFC 9112 section 4), as offsets into the bytes it was read from; filled again for each.
final class ResponseHead {
  var status = 0
  var minor: UInt8 = 1
  /// Status code and reason: `200 OK`.
  var statusText = ByteRange.none
  var runs: [ByteRange] = []
  /// Values of `Connection`.
  var connections: [ByteRange] = []
  /// Values of `Upgrade`.
  var upgrades: [ByteRange] = []
  var isChunked = false
  var contentLength: Int?
  var lengthText = ByteRange.none
  var closes = false
  var keepsAlive = false
  var nominates = false
  /// Elements of all values of `Connection`.
  var nominations = 0
  var hasDate = false
  var length = 0

  /// The connection could carry another response (RFC 9112 section 9.3).
  var isPersistent: Bool { !closes && (minor > 0 || keepsAlive) }

  func reset() {
    status = 0
    minor = 1
    statusText = .none
    runs.removeAll(keepingCapacity: true)
    connections.removeAll(keepingCapacity: true)
    upgrades.removeAll(keepingCapacity: true)
    isChunked = false
    contentLength = nil
    lengthText = .none
    closes = false
    keepsAlive = false
    nominates = false
    nominations = 0
    hasDate = false
    length = 0
  }

  func keep(from start: Int, to end: Int) {
    if let last = runs.indices.last, runs[last].end == start {
      runs[last].end = end
    } else {
      runs.append(ByteRange(start: start, end: end))
    }
  }
}
