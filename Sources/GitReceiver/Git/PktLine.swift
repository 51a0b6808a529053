import Platform

/// Packet lines (gitprotocol-common(5), "pkt-line Format"): four hexadecimal digits with the length, themselves
/// included, then the data. `0000` is a flush.
enum PktLine: Equatable {
  case data([UInt8])
  case flush

  /// The largest packet, its length included (gitprotocol-common(5)).
  static let maximumLength = 65520
  static let headerLength = 4
  static let maximumData = maximumLength - headerLength

  static let flushBytes: [UInt8] = Array("0000".utf8)

  /// One packet. Data beyond ``maximumData`` is cut; callers split before.
  static func encode(_ data: some Collection<UInt8>) -> [UInt8] {
    let body = data.prefix(maximumData)
    return header(body.count) + body
  }

  static func encode(_ text: String) -> [UInt8] { encode(text.utf8) }

  private static func header(_ count: Int) -> [UInt8] {
    let digits = Array(String(count + headerLength, radix: 16).utf8)
    return [UInt8](repeating: UInt8(ascii: "0"), count: headerLength - digits.count) + digits
  }

  /// What a header announces: bytes of data that follow, or `nil` for a flush. Throws ``GitError`` for anything that
  /// is not four hexadecimal digits, for the reserved lengths 1 to 3, and beyond the maximum.
  static func dataLength(header: some Collection<UInt8>) throws(GitError) -> Int? {
    var length = 0
    for byte in header {
      switch byte {
      case 48...57: length = length << 4 | Int(byte - 48)
      case 97...102: length = length << 4 | Int(byte - 87)
      case 65...70: length = length << 4 | Int(byte - 55)
      default:
        let text = String(decoding: Array(header), as: UTF8.self)
        throw GitError(.protocolBroken, "protocol error: bad line length character: \(printable(text))")
      }
    }
    if length == 0 { return nil }
    guard header.count == headerLength, (headerLength...maximumLength).contains(length) else {
      throw GitError(.protocolBroken, "protocol error: bad line length \(length)")
    }
    return length - headerLength
  }
}
