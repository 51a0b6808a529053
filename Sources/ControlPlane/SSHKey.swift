import Crypto
import FoundationEssentials
import Platform
import Wire

/// A public key as it stands in an authorized_keys file without options (sshd(8)): type, base64, comment.
struct SSHKey: Sendable, Equatable {
  static let types: Set<String> = [
    "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
  ]

  /// `ssh-ed25519 AAAA…`, without the comment.
  let text: String
  let comment: String
  /// `SHA256:…`, as `ssh-keygen -l` shows it.
  let fingerprint: String

  /// Throws an ``APIError`` that says what is wrong with the line.
  init(_ line: String) throws(APIError) {
    let hint = "paste the one line of a .pub file, for example ~/.ssh/id_ed25519.pub"
    let parts = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" || $0.isNewline })
    guard line.utf8.count < 16 << 10, parts.count >= 2, let type = parts.first.map(String.init) else {
      throw .invalid("that is not an SSH public key", next: hint)
    }
    guard Self.types.contains(type) else {
      throw .invalid("key type '\(printable(type))' is not supported", next: hint)
    }
    guard let blob = Data(base64Encoded: String(parts[1])), Self.name(in: blob) == type else {
      throw .invalid("the key's data is not that of an \(type) key", next: hint)
    }
    text = "\(type) \(parts[1])"
    comment = parts.count > 2 ? printable(parts[2].split(whereSeparator: \.isNewline).first.map(String.init) ?? "") : ""
    let hash = Data(SHA256.hash(data: blob)).base64EncodedString()
    fingerprint = "SHA256:" + hash.prefix { $0 != "=" }
  }

  /// The type that the blob itself names (RFC 4253 section 6.6).
  private static func name(in blob: Data) -> String? {
    let bytes = Array(blob)
    guard bytes.count > 4 else { return nil }
    let length = bytes[0..<4].reduce(0) { $0 << 8 | Int($1) }
    guard length <= 64, bytes.count > 4 + length else { return nil }
    return String(decoding: bytes[4..<4 + length], as: UTF8.self)
  }
}
