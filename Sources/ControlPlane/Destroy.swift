import Glibc
import Linux
import Logging
import Platform
import Store
import Synchronization
import Wire

extension ControlPlane {
  /// Rolls a destroy forward: every step can be repeated, and the rows go last. Returns whether it is done.
  @discardableResult
  func finishDestroy(_ app: AppID) async -> Bool {
    await endBuilds(of: app)
    return await releaseLocks.hold(app) { await self.removeEverything(of: app) }
  }

  /// Cancels what is being built or deployed, and waits for its end: it may hold the release lock.
  private func endBuilds(of app: AppID) async {
    let builds = running.withLock { $0.filter { $0.value.app == app } }
    await cancel(Array(builds.keys))
    for build in builds.values { await build.task.value }
  }

  private func removeEverything(of app: AppID) async -> Bool {
    await publishRoutes()
    await stop(Array(Set(await engine.instances(of: app).map(\.key))), of: app, patience: .seconds(10))
    await engine.forget(app: app)
    let answer = await desk.ask(.removeRepository, app: app, within: .seconds(10), absent: .seconds(3))
    do {
      let builds = try await store.read { try $0.builds(of: app).map(\.id) }
      for build in builds { try await remove(buildDirectory(build)) }
      try await remove("\(configuration.dataDirectory)/cache/\(app)")
      try await remove("\(configuration.dataDirectory)/logs/\(app)")
      guard answer?.ok == true else {
        logger.info(
          "repository not removed yet", metadata: ["app": "\(app)", "cause": "\(answer?.reason ?? "no answer")"])
        return false
      }
      let unused = try await store.write { ledger in
        try ledger.purge(app)
        return try ledger.dropUnusedSlugs()
      }
      try await removeSlugs(unused)
      traffic.forget(app)
      logger.info("app destroyed", metadata: ["app": "\(app)"])
      return true
    } catch {
      logger.error("app not removed yet", metadata: ["app": "\(app)", "cause": "\(error)"])
      return false
    }
  }

  private func remove(_ path: String) async throws { try await blocking { try Files.removeTree(path) } }

  /// Removes the files of slugs that the ledger no longer has. A build writes its file before it notes the slug, so a
  /// file with the same content may belong to a build that is about to end: the ledger is asked once more, and files
  /// younger than an hour, longer than any build takes from there, stay where they are.
  private func removeSlugs(_ digests: [SlugDigest]) async throws {
    try await slugLock.hold("slugs") {
      for digest in digests where try await !self.store.read({ try $0.hasSlug(digest) }) {
        let path = self.slugPath(digest)
        try await blocking {
          var info = stat()
          guard stat(path, &info) == 0, time(nil) - info.st_mtim.tv_sec > 3600 else { return }
          try Files.removeTree(path)
        }
      }
    }
  }

  /// `slugs/ab/abcdef….tar.zst`
  func slugPath(_ digest: SlugDigest) -> String {
    "\(configuration.dataDirectory)/slugs/\(digest.description.prefix(2))/\(digest).tar.zst"
  }
}
