import Glibc

/// The identity of one resource: a UUIDv7 (RFC 9562 section 5.7), so ids sort by creation time.
///
/// Paths, sandboxes and caches are keyed by the app's **id**: a rename moves nothing, and an app that is created
/// again under an old name inherits nothing. `Resource` is a phantom type; it keeps a release id out of an app's place.
public struct ID<Resource>: Hashable, Sendable, Comparable, CustomStringConvertible, LosslessStringConvertible {
  /// 36 characters, lower case, with hyphens. Always safe as one path component.
  public let description: String

  /// Parses a UUID of any version in its 36-character form; `nil` for anything else.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return nil }
    for (index, byte) in bytes.enumerated() {
      switch index {
      case 8, 13, 18, 23: guard byte == UInt8(ascii: "-") else { return nil }
      default:
        let digit = (48...57).contains(byte) || (97...102).contains(byte)
        guard digit else { return nil }
      }
    }
    description = text
  }

  /// A new id for this moment.
  public init() {
    var random = SystemRandomNumberGenerator()
    self.init(milliseconds: UInt64(clamping: Timestamp.now.microseconds / 1000), random: &random)
  }

  /// The id for a moment and a source of randomness, for tests of ordering.
  public init(milliseconds: UInt64, random: inout some RandomNumberGenerator) {
    let high = (milliseconds << 16) | 0x7000 | UInt64.random(in: 0...0x0FFF, using: &random)
    let low = 0x8000_0000_0000_0000 | (UInt64.random(in: .min ... .max, using: &random) >> 2)
    let hex = hexadecimal(high) + hexadecimal(low)
    var text = ""
    text.reserveCapacity(36)
    for (index, character) in hex.enumerated() {
      if index == 8 || index == 12 || index == 16 || index == 20 { text.append("-") }
      text.append(character)
    }
    description = text
  }

  public static func < (left: Self, right: Self) -> Bool { left.description < right.description }
}

extension ID: Codable {
  /// Reads the 36-character form; throws `DecodingError.dataCorrupted` for anything else.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let id = Self(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a UUID")
    }
    self = id
  }

  /// Writes the 36-character form.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Sixteen lower-case hexadecimal digits.
private func hexadecimal(_ value: UInt64) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: 16 - text.count) + text
}

/// Names for the phantom types of ``ID``.
public enum InstallationTag {}
public enum AccountTag {}
public enum AppTag {}
public enum ReleaseTag {}
public enum BuildTag {}
public enum PushTag {}
public enum LaunchTag {}
public enum InstanceTag {}

public typealias InstallationID = ID<InstallationTag>
public typealias AccountID = ID<AccountTag>
public typealias AppID = ID<AppTag>
public typealias ReleaseID = ID<ReleaseTag>
public typealias BuildID = ID<BuildTag>
/// One `git push`, from the moment its pack is indexed; its quarantine carries this name.
public typealias PushID = ID<PushTag>
/// One start of all of an app's processes: a deploy, a restart or a config change makes a new one.
public typealias LaunchID = ID<LaunchTag>
public typealias InstanceID = ID<InstanceTag>
