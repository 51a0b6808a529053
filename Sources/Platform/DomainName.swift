@_spi(_Unicode) import Swift

/// A host name that an app is reached by, in the one form in which names are compared: small letters, no trailing dot,
/// internationalized labels in their ASCII form (RFC 5891), 253 bytes at most in labels of at most 63 (RFC 1035
/// section 2.3.4, RFC 1123 section 2.1). `*` may stand for the first label. Never an address, a port or a URL.
public struct DomainName: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    let name = try Self.withoutDot(text)
    var labels = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let isWildcard = labels.first == "*"
    if isWildcard { labels.removeFirst() }
    if isWildcard, labels.count < 2 {
      throw Self.refuse(text, "'*' must stand before a name of two labels or more", next: "for example: *.example.com")
    }
    var ascii: [String] = []
    for label in labels { ascii.append(try Self.ascii(label, of: text)) }
    // The last label of an IPv4 address is a number, in any of its spellings (URL Standard, "ends in a number").
    if let last = ascii.last, last.utf8.allSatisfy(isDigit) || last.hasPrefix("0x") {
      throw Self.refuse(text, "it is an address, not a name", next: "give a name that DNS leads here")
    }
    description = (isWildcard ? ["*"] + ascii : ascii).joined(separator: ".")
    guard description.utf8.count <= 253 else { throw Self.refuse(text, "it is longer than 253 bytes") }
  }

  /// `*.example.com`
  public var isWildcard: Bool { description.hasPrefix("*.") }

  /// What stands behind the first dot: `example.com` of `www.example.com`; `nil` for a single label.
  public var parent: String? {
    description.firstIndex(of: ".").map { String(description[description.index(after: $0)...]) }
  }

  /// This wildcard stands for that name, or for every name that that wildcard stands for.
  public func covers(_ other: DomainName) -> Bool {
    guard isWildcard, other != self else { return isWildcard && other == self }
    return other.description.hasSuffix(description.dropFirst())
  }

  /// Small letters, NFC, full stops of other scripts as dots (UTS #46 section 4 step 2), without the root's dot.
  private static func withoutDot(_ text: String) throws(NameError) -> String {
    guard !text.isEmpty, text.utf8.count <= 1024 else { throw refuse(text, "a name has 1 to 253 bytes") }
    if text.contains("://") { throw refuse(text, "give the name alone", next: "without http:// and path") }
    if text.contains("/") { throw refuse(text, "it holds a path", next: "give the path as HOST/PATH") }
    if text.contains(":") || text.contains("[") {
      throw refuse(text, "it holds a port or is an address", next: "give the name alone")
    }
    var name = composed(composed(text).lowercased())
    for dot in ["\u{3002}", "\u{FF0E}", "\u{FF61}"] {
      name = name.split(separator: dot, omittingEmptySubsequences: false).joined(separator: ".")
    }
    if name.hasSuffix(".") { name.removeLast() }
    return name
  }

  /// Normalization form C (UAX #15).
  private static func composed(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text._nfc { result.append(scalar) }
    return String(result)
  }

  private static func ascii(_ label: String, of text: String) throws(NameError) -> String {
    if label.isEmpty { throw refuse(text, "it has an empty label") }
    if label == "*" || label.contains("*") {
      throw refuse(text, "'*' may only stand for the whole first label", next: "for example: *.example.com")
    }
    var result = label
    if label.utf8.contains(where: { $0 >= 0x80 }) {
      try check(label, of: text)
      guard let encoded = Punycode.encode(label) else { throw refuse(text, "a label is too long") }
      result = "xn--" + encoded
    } else if label.hasPrefix("xn--") {
      try checkEncoded(label, of: text)
    }
    guard result.utf8.count <= 63 else { throw refuse(text, "a label is longer than 63 bytes") }
    let isPlain = result.utf8.allSatisfy { isLowerLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
    guard isPlain, !result.hasPrefix("-"), !result.hasSuffix("-") else {
      throw refuse(
        text, "labels hold letters, digits and '-', and neither start nor end with '-'",
        next: "for example: www.example.com")
    }
    return result
  }

  /// An ASCII form must be the one that its text yields: otherwise two spellings would be two names.
  private static func checkEncoded(_ label: String, of text: String) throws(NameError) {
    guard let decoded = Punycode.decode(String(label.dropFirst(4))), decoded.utf8.contains(where: { $0 >= 0x80 }),
      composed(composed(decoded).lowercased()) == decoded, Punycode.encode(decoded) == String(label.dropFirst(4))
    else { throw refuse(text, "'\(printable(label))' is not the ASCII form of a label") }
    try check(decoded, of: text)
  }

  /// RFC 5891 section 4.2 by general properties: letters, marks and digits that stay what they are under NFKC case
  /// folding, save the four that IDNA 2008 keeps (RFC 5892 section 2.6: ß, ς); no joiners, no mark in front.
  private static func check(_ label: String, of text: String) throws(NameError) {
    let scalars = Array(label.unicodeScalars)
    for scalar in scalars {
      let isKept = scalar == "\u{DF}" || scalar == "\u{3C2}"
      let isStable = isKept || !scalar.properties.changesWhenNFKCCaseFolded
      let byte = UInt8(truncatingIfNeeded: scalar.value)
      let isPlain = scalar.isASCII && (isLowerLetter(byte) || isDigit(byte) || scalar == "-")
      guard isPlain || (!scalar.isASCII && isStable && allowed.contains(scalar.properties.generalCategory)) else {
        throw refuse(text, "'\(printable(String(scalar)))' may not stand in a name")
      }
    }
    let marks: [Unicode.GeneralCategory] = [.nonspacingMark, .spacingMark, .enclosingMark]
    guard let first = scalars.first, !marks.contains(first.properties.generalCategory), first != "-",
      scalars.last != "-", !(scalars.count > 3 && scalars[2] == "-" && scalars[3] == "-")
    else { throw refuse(text, "a label starts or ends with what may not stand there") }
  }

  private static let allowed: Set<Unicode.GeneralCategory> = [
    .lowercaseLetter, .otherLetter, .modifierLetter, .nonspacingMark, .spacingMark, .decimalNumber,
  ]

  private static func refuse(_ text: String, _ why: String, next: String? = nil) -> NameError {
    NameError("'\(printable(text))' is not a domain name: \(why)", next: next)
  }
}

/// A path below which a host's requests go to an app: `/api`, `/v1/users`. Starts with `/`, does not end with one, is
/// not `/` alone; at most 200 bytes of the characters that no encoding changes (RFC 3986 section 2.3), and no segment
/// that is empty, `.` or `..`.
public struct PathPrefix: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    var bytes = Array(text.utf8)
    if bytes.count > 1, bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    let cleaned = String(decoding: bytes, as: UTF8.self)
    let plain = Set("-._~/".utf8)
    let segments = cleaned.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard (2...200).contains(bytes.count), bytes.first == UInt8(ascii: "/"),
      bytes.allSatisfy({ isLetter($0) || isDigit($0) || plain.contains($0) }),
      segments.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
    else {
      throw NameError(
        "path '\(printable(text))' may hold only letters, digits and '-._~' between its slashes, 200 at most",
        next: "for example: www.example.com/api")
    }
    description = cleaned
  }
}
