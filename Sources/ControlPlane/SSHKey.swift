import Crypto
import FoundationEssentials
import Platform
public import Wire

/// A public key as it stands in an authorized_keys file without options (sshd(8)): type, base64, comment. A value that
/// exists is a key that is strong enough, of a type that the receiver takes.
public struct SSHKey: Sendable, Equatable {
  /// `ssh-ed25519 AAAA…`, without the comment.
  let text: String
  let comment: String
  /// `SHA256:…`, as `ssh-keygen -l` shows it.
  public let fingerprint: String

  private static let hint = "paste the one line of a .pub file, for example ~/.ssh/id_ed25519.pub"
  private static let better = "make a new key: ssh-keygen -t ed25519"

  /// Throws an ``APIError`` that says what is wrong with the line.
  public init(_ line: String) throws(APIError) {
    if line.contains("PRIVATE KEY") {
      throw .invalid("that is a private key; it stays on your machine, and nobody else may see it", next: Self.hint)
    }
    let parts = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" || $0.isNewline })
    guard line.utf8.count < 16 << 10, parts.count >= 2, let type = parts.first.map(String.init) else {
      throw .invalid("that is not an SSH public key", next: Self.hint)
    }
    guard let kind = SSHKeyKind(rawValue: type) else { throw Self.refusal(of: type) }
    guard let blob = Data(base64Encoded: String(parts[1])) else {
      throw .invalid("the key's data is not base64", next: Self.hint)
    }
    if let weakness = kind.weakness(of: Array(blob)) {
      throw .invalid(weakness.text, next: weakness.isWeak ? Self.better : Self.hint)
    }
    text = "\(type) \(parts[1])"
    comment = parts.count > 2 ? printable(parts[2].split(whereSeparator: \.isNewline).first.map(String.init) ?? "") : ""
    let hash = Data(SHA256.hash(data: blob)).base64EncodedString()
    fingerprint = "SHA256:" + hash.prefix { $0 != "=" }
  }

  /// Why a type that is not taken is not taken.
  private static func refusal(of type: String) -> APIError {
    if type == "ssh-dss" { return .invalid("DSA keys are too weak (1024 bits, SHA-1)", next: better) }
    if type.contains("-cert-v") {
      return .invalid("that is a certificate; certificates are not supported", next: "add the key that it certifies")
    }
    if type.contains("=") || ["restrict", "cert-authority"].contains(type) || type.hasPrefix("no-") {
      return .invalid("the line begins with options, which are not supported", next: hint)
    }
    return .invalid("key type '\(printable(type))' is not supported", next: hint)
  }
}

/// The types of keys that may be added, and what their data must look like (RFC 4253 section 6.6, RFC 5656 section 3.1,
/// RFC 8709 section 4, OpenSSH's PROTOCOL.u2f).
enum SSHKeyKind: String {
  case ed25519 = "ssh-ed25519"
  case rsa = "ssh-rsa"
  case p256 = "ecdsa-sha2-nistp256"
  case p384 = "ecdsa-sha2-nistp384"
  case p521 = "ecdsa-sha2-nistp521"
  case hardwareEd25519 = "sk-ssh-ed25519@openssh.com"
  case hardwareP256 = "sk-ecdsa-sha2-nistp256@openssh.com"

  struct Weakness: Equatable {
    var text: String
    /// A well-formed key that is not good enough.
    var isWeak = false
  }

  /// What is wrong with the key's data; `nil` when nothing is.
  func weakness(of blob: [UInt8]) -> Weakness? {
    var fields = SSHFields(blob)
    let malformed = Weakness(text: "the key's data is not that of an \(rawValue) key")
    guard fields.string() == Array(rawValue.utf8) else { return malformed }
    let found: Weakness?
    switch self {
    case .ed25519: found = fields.string()?.count == 32 ? nil : malformed
    case .hardwareEd25519: found = fields.string()?.count == 32 && fields.string() != nil ? nil : malformed
    case .rsa: found = Self.rsaWeakness(exponent: fields.string(), modulus: fields.string())
    case .p256: found = fields.isPoint(on: "nistp256") ? nil : malformed
    case .p384: found = fields.isPoint(on: "nistp384") ? nil : malformed
    case .p521: found = fields.isPoint(on: "nistp521") ? nil : malformed
    case .hardwareP256: found = fields.isPoint(on: "nistp256") && fields.string() != nil ? nil : malformed
    }
    return found ?? (fields.isAtEnd ? nil : Weakness(text: "the key's data goes on after the key"))
  }

  /// 2048 bits at least (NIST SP 800-131A), 16384 at most (what OpenSSH takes).
  private static func rsaWeakness(exponent: [UInt8]?, modulus: [UInt8]?) -> Weakness? {
    guard let exponent = exponent.flatMap(magnitude), let modulus = modulus.flatMap(magnitude) else {
      return Weakness(text: "the key's data is not that of an ssh-rsa key")
    }
    let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
    if bits < 2048 { return Weakness(text: "RSA keys need 2048 bits, this one has \(bits)", isWeak: true) }
    if bits > 16384 { return Weakness(text: "RSA keys have 16384 bits at most, this one has \(bits)", isWeak: true) }
    let isOdd = { (number: [UInt8]) in (number.last ?? 0) & 1 == 1 }
    guard isOdd(exponent), exponent != [1], exponent.count <= 8 else {
      return Weakness(text: "the RSA key's exponent is not a safe one", isWeak: true)
    }
    guard isOdd(modulus) else { return Weakness(text: "the RSA key's modulus is even", isWeak: true) }
    return nil
  }

  /// A positive number in its shortest form (RFC 4251 section 5, mpint) without its sign; `nil` for any other.
  private static func magnitude(_ bytes: [UInt8]) -> [UInt8]? {
    guard let first = bytes.first, first < 0x80 else { return nil }
    guard first == 0 else { return bytes }
    let rest = Array(bytes.dropFirst())
    return (rest.first ?? 0) >= 0x80 ? rest : nil
  }
}

/// Reads a key's data: strings with a length before them (RFC 4251 section 5).
private struct SSHFields {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  /// `nil` at the end, and where the length lies.
  mutating func string() -> [UInt8]? {
    guard rest.count >= 4 else { return nil }
    let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    guard rest.count - 4 >= length else { return nil }
    defer { rest = rest.dropFirst(4 + length) }
    return Array(rest.dropFirst(4).prefix(length))
  }

  /// A curve's name and an uncompressed point that lies on it.
  mutating func isPoint(on curve: String) -> Bool {
    guard string() == Array(curve.utf8), let point = string(), point.first == 4 else { return false }
    do {
      switch curve {
      case "nistp256": _ = try P256.Signing.PublicKey(x963Representation: point)
      case "nistp384": _ = try P384.Signing.PublicKey(x963Representation: point)
      default: _ = try P521.Signing.PublicKey(x963Representation: point)
      }
      return true
    } catch {
      return false
    }
  }
}
