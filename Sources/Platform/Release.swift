/// An app as every room sees it.
public struct App: Sendable, Hashable, Codable {
  public var id: AppID
  public var name: AppName

  public init(id: AppID, name: AppName) {
    self.id = id
    self.name = name
  }
}

/// Who acts: an account of this installation. Its email stands in `releases`.
public struct Account: Sendable, Hashable, Codable {
  public var id: AccountID
  public var email: String
  public var isAdmin: Bool

  public init(id: AccountID, email: String, isAdmin: Bool) {
    self.id = id
    self.email = email
    self.isAdmin = isAdmin
  }
}

/// `v1`, `v2`, …: counted per app, never reused, a failed release keeps its number.
public struct ReleaseVersion: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  public let number: Int

  public init(_ number: Int) { self.number = number }

  /// Accepts `v3` and `3`; `nil` for anything else, and for zero and below.
  public init?(parsing text: String) {
    guard let number = Int(text.hasPrefix("v") ? String(text.dropFirst()) : text), number > 0 else { return nil }
    self.number = number
  }

  public var description: String { "v\(number)" }
  public static func < (left: Self, right: Self) -> Bool { left.number < right.number }

  public init(from decoder: any Decoder) throws { number = try decoder.singleValueContainer().decode(Int.self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(number)
  }
}

/// Where a release stands. `pending` becomes `succeeded` at the commit point, `failed` at any failure before it.
public enum ReleaseStatus: String, Sendable, Codable { case pending, succeeded, failed }

/// Where a build stands.
public enum BuildStatus: String, Sendable, Codable { case pending, succeeded, failed }

/// Config vars, byte for byte as the app sees them in its environment. Values hold no NUL.
public typealias ConfigVars = [ConfigKey: String]

/// How many instances of each process type run.
public typealias Formation = [ProcessType: Int]
