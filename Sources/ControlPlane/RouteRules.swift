import Crypto
import CryptoExtras
import FoundationEssentials
import Platform
import Wire

/// What an app's owner may set for its routes. Each change is checked here, before it is stored.
enum RouteRules {
  static let domainsKept = 100
  static let redirectsKept = 100
  static let usersKept = 50
  static let networksKept = 500
  /// Of one custom page, in bytes.
  static let pageLimit = 64 << 10
  /// Of all settings of all apps of one account as they are stored, in bytes: one account cannot make the table larger
  /// than a router reads.
  static let accountLimit = 4 << 20

  static func apply(_ update: RoutingUpdate, to settings: inout RouteSettings) throws(APIError) {
    for name in update.unset ?? [] { try unset(name, in: &settings) }
    if let text = update.balancing { settings.balancing = try balancing(text) }
    if let sticky = update.sticky { settings.sticky = sticky }
    if let logs = update.logs { settings.logs = logs }
    settings.bodyLimit = try checked("body_limit", update.body_limit, 1...(1 << 40)) ?? settings.bodyLimit
    settings.concurrency = try checked("concurrency", update.concurrency, 1...1_000_000) ?? settings.concurrency
    settings.queue = try checked("queue", update.queue, 1...100_000) ?? settings.queue
    settings.firstByteSeconds =
      try checked("first_byte_seconds", update.first_byte_seconds, 1...3600) ?? settings.firstByteSeconds
    settings.idleSeconds = try checked("idle_seconds", update.idle_seconds, 1...86_400) ?? settings.idleSeconds
  }

  private static func balancing(_ text: String) throws(APIError) -> RouteSettings.Balancing {
    switch text {
    case "least-connections": return .leastConnections
    case "round-robin": return .roundRobin
    default:
      throw .invalid("'\(printable(text))' is no way of balancing", next: "use least-connections or round-robin")
    }
  }

  private static func checked(_ name: String, _ value: Int?, _ range: ClosedRange<Int>) throws(APIError) -> Int? {
    guard let value, !range.contains(value) else { return value }
    throw .invalid("'\(name)' must be from \(range.lowerBound) to \(range.upperBound)")
  }

  private static func unset(_ name: String, in settings: inout RouteSettings) throws(APIError) {
    switch name {
    case "balancing": settings.balancing = nil
    case "sticky": settings.sticky = nil
    case "body_limit": settings.bodyLimit = nil
    case "concurrency": settings.concurrency = nil
    case "queue": settings.queue = nil
    case "first_byte_seconds": settings.firstByteSeconds = nil
    case "idle_seconds": settings.idleSeconds = nil
    case "logs": settings.logs = nil
    default: throw .invalid("there is no setting '\(printable(name))'", next: "see `paas routing`")
    }
  }

  // MARK: redirects

  /// `from` must be one of the app's hosts. A host has one redirect; a second replaces it.
  static func redirect(_ wanted: RedirectResource, hosts: Set<String>) throws(APIError) -> Redirect {
    let host: String
    do throws(NameError) { host = try DomainName(wanted.from).description } catch { throw .invalid(error) }
    guard hosts.contains(host) else {
      throw .invalid("\(host) is not a domain of this app", next: "add it first: paas domains:add \(host)")
    }
    let target = try target(wanted.to)
    // Also with another scheme or port: the proxy in front that ends TLS sends the request here again.
    if target.host == host {
      throw .invalid(
        "\(host) would be sent to itself", next: "name another host; the proxy that ends TLS can lead http to https")
    }
    return Redirect(host: host, to: target.text, permanent: wanted.permanent)
  }

  /// `https://example.com[:PORT]`; a name alone means http. Nothing behind the authority: the path is the request's.
  private static func target(_ text: String) throws(APIError) -> (text: String, host: String) {
    var scheme = "http"
    var rest = text[...]
    for known in ["http", "https"] where text.lowercased().hasPrefix("\(known)://") {
      scheme = known
      rest = text.dropFirst(known.count + 3)
    }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    var port = ""
    if let colon = rest.lastIndex(of: ":") {
      let digits = rest[rest.index(after: colon)...]
      guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits), (1...65535).contains(number)
      else { throw .invalid("'\(printable(text))' has no valid port", next: "for example: https://example.com:8443") }
      port = ":\(number)"
      rest = rest[..<colon]
    }
    let host: DomainName
    do throws(NameError) { host = try DomainName(String(rest)) } catch { throw .invalid(error) }
    if host.isWildcard { throw .invalid("a redirect leads to one host, not to '\(host)'") }
    return ("\(scheme)://\(host)\(port)", host.description)
  }

  // MARK: pages

  /// UTF-8 without control characters: in the table each of those would be six bytes.
  static func page(_ bytes: [UInt8]) throws(APIError) -> String {
    guard bytes.count <= pageLimit else {
      throw APIError(id: "too_large", message: "a page has \(pageLimit) bytes at most")
    }
    guard let text = String(validating: bytes, as: UTF8.self), !text.isEmpty else {
      throw .invalid("the page is not UTF-8 text")
    }
    let kept = Set("\t\n\r".utf8)
    if let index = bytes.firstIndex(where: { ($0 < 0x20 && !kept.contains($0)) || $0 == 0x7F }) {
      throw .invalid(
        "the page holds a control character (byte \(index + 1))",
        next: "of these only tab and line ends may stand in it")
    }
    return text
  }

  // MARK: users

  /// RFC 7617 section 2: no colon and no control character in a name.
  static func checkUser(_ name: String, password: String) throws(APIError) {
    let isPlain = name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
    guard (1...64).contains(name.utf8.count), isPlain else {
      throw .invalid("user name '\(printable(name))' must have 1 to 64 visible ASCII characters and no ':'")
    }
    guard (8...256).contains(password.utf8.count),
      !password.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F })
    else { throw .invalid("a password has 8 to 256 bytes and no control characters", next: "choose another") }
  }

  /// 24 letters and digits: 142 bits.
  static func newPassword() -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
    var random = SystemRandomNumberGenerator()
    return String((0..<24).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] })
  }

  static let rounds = 60_000

  /// Takes tens of milliseconds of CPU: not for the cooperative pool.
  static func user(_ name: String, password: String) throws -> BasicUser {
    var random = SystemRandomNumberGenerator()
    let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    return BasicUser(
      name: name, salt: hexadecimal(salt), hash: try hash(password, salt: salt, rounds: rounds), rounds: rounds)
  }

  /// PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2), 32 bytes, hexadecimal.
  static func hash(_ password: String, salt: [UInt8], rounds: Int) throws -> String {
    let key = try KDF.Insecure.PBKDF2.deriveKey(
      from: Array(password.utf8), salt: salt, using: .sha256, outputByteCount: 32, unsafeUncheckedRounds: rounds)
    return key.withUnsafeBytes { hexadecimal(Array($0)) }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
