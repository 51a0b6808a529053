/// The SHA-256 of a slug's bytes on disk: 64 lower-case hexadecimal digits.
public struct SlugDigest: ValidatedName {
  public let description: String

  public init(_ text: String) throws(NameError) {
    guard text.utf8.count == 64, text.utf8.allSatisfy({ isDigit($0) || (97...102).contains($0) }) else {
      throw NameError("'\(printable(text))' is not a SHA-256")
    }
    description = text
  }
}

/// A built app: one `tar.zst` of `/app`, named by the hash of its bytes.
public struct Slug: Sendable, Hashable, Codable {
  public var digest: SlugDigest
  /// Compressed, in bytes.
  public var size: Int64

  public init(digest: SlugDigest, size: Int64) {
    self.digest = digest
    self.size = size
  }
}

/// The operating system an app is built and run on. The first is `host`: the machine's `/usr`, read-only.
public struct Stack: Sendable, Hashable, Codable {
  public var id: String
  /// What the root file system is made of, as far as it is pinned; for `host` the OS release's version.
  public var digest: String

  public init(id: String, digest: String) {
    self.id = id
    self.digest = digest
  }
}

/// Process types and their commands, as a Procfile or a buildpack declares them, in no order.
public typealias ProcessTypes = [ProcessType: String]

/// What a build yields: the slug, and what the buildpack said about it.
public struct BuildResult: Sendable, Hashable {
  public var slug: Slug
  public var stack: Stack
  public var processTypes: ProcessTypes
  /// The buildpack's display name: `Python`.
  public var buildpack: String

  public init(slug: Slug, stack: Stack, processTypes: ProcessTypes, buildpack: String) {
    self.slug = slug
    self.stack = stack
    self.processTypes = processTypes
    self.buildpack = buildpack
  }
}
