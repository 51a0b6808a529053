/// Why a name was refused. The text is shown to the user as it is.
public struct NameError: Error, Equatable, Explained {
  public let message: String
  public let nextStep: String?

  init(_ message: String, next: String? = nil) {
    self.message = message
    nextStep = next
  }
}

/// A name that is validated where it is made, so that a value that exists is valid.
public protocol ValidatedName: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
  /// Throws ``NameError`` when the text breaks the rule of this kind of name.
  init(_ text: String) throws(NameError)
}

extension ValidatedName {
  public static func < (left: Self, right: Self) -> Bool { left.description < right.description }

  /// Reads the text; throws `DecodingError.dataCorrupted` with the reason when it breaks the rule.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    do throws(NameError) {
      self = try Self(text)
    } catch {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: error.message)
    }
  }

  /// Writes the text.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// The name of an app: a DNS label (RFC 1123 section 2.1) of 2 to 30 characters that starts with a letter, as Heroku's.
/// It can stand in a host name, a path and a command line without quoting.
public struct AppName: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    let bytes = Array(text.utf8)
    let shown = printable(text)
    guard (2...30).contains(bytes.count) else {
      throw NameError("app name '\(shown)' must have 2 to 30 characters", next: "choose a shorter or longer name")
    }
    guard bytes.allSatisfy({ isLowerLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") }),
      let first = bytes.first, isLowerLetter(first), bytes.last != UInt8(ascii: "-")
    else {
      throw NameError(
        "app name '\(shown)' may hold only a-z, 0-9 and '-', start with a letter and not end with '-'",
        next: "for example: my-app-2")
    }
    description = text
  }
}

/// The name of a process type in a Procfile: `web`, `worker`, `release`, … ; 1 to 30 of a-z, A-Z, 0-9, '-' and '_'.
public struct ProcessType: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    let bytes = Array(text.utf8)
    guard (1...30).contains(bytes.count), let first = bytes.first, isLetter(first) || isDigit(first),
      bytes.allSatisfy({ isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") })
    else {
      throw NameError(
        "process type '\(printable(text))' may hold only letters, digits, '-' and '_', 30 at most",
        next: "correct the name in the Procfile")
    }
    description = text
  }

  private init(known: String) { description = known }
  public static let web = ProcessType(known: "web")
  public static let release = ProcessType(known: "release")
  public static let run = ProcessType(known: "run")
}

/// The name of a config var: letters, digits and '_', not starting with a digit (POSIX.1-2017 section 8.1), 128 at most.
public struct ConfigKey: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    let bytes = Array(text.utf8)
    guard (1...128).contains(bytes.count), let first = bytes.first, isLetter(first) || first == UInt8(ascii: "_"),
      bytes.allSatisfy({ isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "_") })
    else {
      throw NameError(
        "config var name '\(printable(text))' may hold only letters, digits and '_', and not start with a digit",
        next: "for example: DATABASE_URL")
    }
    description = text
  }
}

/// A git object id in SHA-1: 40 lower-case hexadecimal digits.
public struct CommitID: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    guard text.utf8.count == 40, text.utf8.allSatisfy({ isDigit($0) || (97...102).contains($0) }) else {
      throw NameError("'\(printable(text))' is not a git object id")
    }
    description = text
  }

  private init(known: String) { description = known }
  /// Git's "no object": the old side of a created ref, the new side of a deleted one.
  public static let zero = CommitID(known: String(repeating: "0", count: 40))
  /// The first seven digits, as `git log --oneline` shows.
  public var short: String { String(description.prefix(7)) }
}

/// A full ref name such as `refs/heads/main`, by the rules of git-check-ref-format(1), 250 bytes at most, UTF-8.
public struct RefName: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    func refuse() -> NameError { NameError("'\(printable(text))' is not a valid ref name") }
    let bytes = Array(text.utf8)
    guard text.hasPrefix("refs/"), bytes.count <= 250, !text.hasSuffix("."), !bytes.isEmpty else { throw refuse() }
    let forbidden = Set("~^:?*[\\".utf8)
    guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !forbidden.contains($0) }) else { throw refuse() }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count >= 3,
      parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".lock") }),
      zip(bytes, bytes.dropFirst()).allSatisfy({ !($0 == UInt8(ascii: ".") && $1 == UInt8(ascii: ".")) }),
      zip(bytes, bytes.dropFirst()).allSatisfy({ !($0 == UInt8(ascii: "@") && $1 == UInt8(ascii: "{")) })
    else { throw refuse() }
    description = text
  }

  /// The branch's short name, or `nil` for a ref outside `refs/heads/`.
  public var branch: String? { description.hasPrefix("refs/heads/") ? String(description.dropFirst(11)) : nil }
}

func isLowerLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte) }
func isLetter(_ byte: UInt8) -> Bool { isLowerLetter(byte) || (65...90).contains(byte) }
func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

/// Text from outside as it may be shown: control characters become '?', 60 characters at most.
public func printable(_ text: String) -> String {
  let clean = text.unicodeScalars.prefix(60).map { scalar in
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? Character("?") : Character(scalar)
  }
  return String(clean) + (text.unicodeScalars.count > 60 ? "…" : "")
}
