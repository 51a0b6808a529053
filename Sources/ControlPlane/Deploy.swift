import Platform
import Store

// The server's half of a push. The numbers are those of README.md, "The path of a push"; 1 and 2 are the receiver's.
// Up to the commit point any failure leaves the old release serving and the ref unmoved; after it every step can be
// repeated, and the reconciler repeats it.
extension ControlPlane {
  /// From an accepted build to a live release. Throws ``DeployFailure``.
  func deploy(_ build: BuildRecord, of app: AppRecord, to output: PushOutput) async throws -> ReleaseRecord {
    let slug = try await buildSlug(build, of: app, to: output)  // 3
    return try await releaseLocks.hold(app.id) {
      try Task.checkCancellation()
      return try await self.release(.deploy(slug, by: build), to: output)
    }
  }

  /// Steps 4 to 7: where a rollback and a config change enter. The caller holds the app's release lock.
  func release(_ change: Change, to output: PushOutput) async throws -> ReleaseRecord {
    let candidate = try await createRelease(change)  // 4
    do {
      try await runHooks(candidate, to: output)
      try await prepare(candidate.launch)
      try await runReleasePhase(candidate, to: output)
      output.step("Launching...")
      try await startAll(candidate.launch)  // 5
      try await keepObjects(candidate)  // 6
      Checkpoint.reach("deploy.before-commit")
      try await commit(candidate)
    } catch {
      throw await abandon(candidate, because: error)
    }
    Checkpoint.reach("deploy.after-commit")
    await announce(candidate, to: output)
    await switchRoutes(of: change.app)  // 7
    Checkpoint.reach("deploy.after-switch")
    retire(candidate.replaced, of: change.app)
    return candidate.release
  }
}
