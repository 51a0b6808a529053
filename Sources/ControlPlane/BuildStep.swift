public import Buildpacks
public import Platform

/// Step 3 as the deploy calls it: a source in, a slug out.
public struct BuildStep: Sendable {
  public typealias Output = @Sendable ([UInt8]) -> Void

  var build: @Sendable (BuildRequest, @escaping Output) async throws -> BuildResult
  var cancel: @Sendable (BuildID) async -> Void

  /// Buildpacks in a sandbox.
  public init(_ builder: SlugBuilder) {
    self.init {
      try await builder.build($0, output: $1)
    } cancel: {
      await builder.cancel($0)
    }
  }

  /// Anything that turns a source into a slug. `build` throws ``DeployFailure`` and ends early when it is cancelled, by
  /// its task or by `cancel`.
  public init(
    build: @escaping @Sendable (BuildRequest, @escaping Output) async throws -> BuildResult,
    cancel: @escaping @Sendable (BuildID) async -> Void
  ) {
    self.build = build
    self.cancel = cancel
  }
}
