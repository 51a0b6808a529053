internal import Linux
public import Platform
public import Sandbox

/// Source tree → slug: the server's side of a build. Hostile bytes stay in the sandbox; this side copies, counts and
/// hashes what comes out of it.
public struct SlugBuilder: Sendable {
  let sandbox: Sandbox
  let shareDirectory: String
  let programPath: String
  let limits: BuildLimits
  let environment: [String: String]
  private let running = RunningBuilds()

  /// `shareDirectory` holds `buildpacks/`; `programPath` is the `paas` binary that becomes the worker; `environment`
  /// is added to what buildpacks see, see ``BuildEnvironment/passed(from:)``.
  public init(
    sandbox: Sandbox, shareDirectory: String, programPath: String, limits: BuildLimits = BuildLimits(),
    environment: [String: String] = [:]
  ) {
    self.sandbox = sandbox
    self.shareDirectory = shareDirectory
    self.programPath = programPath
    self.limits = limits
    self.environment = environment
  }

  /// Builds one source tree. Output goes to `output` as it comes, from a thread of its own. Throws
  /// ``Platform/DeployFailure``, whatever happens: B01 nothing detected, B02 compile failed, B03 source refused, B04 slug
  /// too large, B07 Procfile, B11 no sandbox, B12 timeout, B13 cancelled (also by the task's cancellation), H99 our
  /// fault. The slug is durable when this returns.
  public func build(_ request: BuildRequest, output: @escaping @Sendable ([UInt8]) -> Void) async throws -> BuildResult {
    guard sandbox.capabilities.canRun else {
      throw failure(of: SandboxError.unavailable(sandbox.capabilities.missing))
    }
    let attempt = BuildAttempt(builder: self, request: request, running: running)
    do {
      return try await withTaskCancellationHandler {
        try await attempt.run(output: output)
      } onCancel: {
        Task { await cancel(request.build) }
      }
    } catch let failure as DeployFailure {
      throw failure
    } catch {
      throw failure(of: error)
    }
  }

  /// Ends a running build with B13. One that does not run is no error.
  public func cancel(_ build: BuildID) async {
    if let id = await running.end(build, because: .cancelled) { await sandbox.destroy(id: id) }
  }

  private func failure(of error: any Error) -> DeployFailure {
    if let error = error as? SandboxError {
      return DeployFailure(.build, .noSandbox, error.message, next: error.nextStep)
    }
    return DeployFailure(.build, .platformError, text(of: error), next: "look at the server's log")
  }
}
