public import Platform

/// Step 3 as the deploy calls it: a source in, a slug out.
public struct BuildStep: Sendable {
  public struct Request: Sendable {
    public var build: BuildID
    public var app: App
    public var hostUser: UInt32
    /// Path of the source tarball.
    public var sourceTar: String
    public var workDirectory: String
    public var cacheDirectory: String
    public var slugDirectory: String
    public var environment: [String: String]
    public var timeout: Duration
  }

  public typealias Output = @Sendable ([UInt8]) -> Void

  var build: @Sendable (Request, @escaping Output) async throws -> BuildResult
  var cancel: @Sendable (BuildID) async -> Void

  public init(
    build: @escaping @Sendable (Request, @escaping Output) async throws -> BuildResult,
    cancel: @escaping @Sendable (BuildID) async -> Void
  ) {
    self.build = build
    self.cancel = cancel
  }
}
