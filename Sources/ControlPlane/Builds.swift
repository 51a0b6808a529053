import Buildpacks
import Linux
import Logging
public import Platform
import Store
import Synchronization
public import Wire

/// A build that this server is working on.
struct RunningBuild: Sendable {
  var app: AppID
  var task: Task<Void, Never>
  var output: BuildOutput
}

extension ControlPlane {
  /// How long a build may take.
  static let buildTimeout = Duration.seconds(1800)

  /// Accepts a source and starts its deploy; from here on it does not matter whether the client stays. `source` copies
  /// the request's body, a tarball, to the path it is given. A pending build of a push to the same ref is ended.
  public func openBuild(
    _ app: String, push: PushContext?, by account: Account, source: @Sendable (String) async throws -> Void
  ) async throws -> BuildResource {
    let record = try await find(app, by: account)
    let id = BuildID()
    let directory = buildDirectory(id)
    try Files.makeDirectory(directory, mode: 0o700)
    do {
      try await source(directory + "/source.tar")
      let output = try BuildOutput(path: directory + "/output.records")
      let (build, superseded) = try await store.write { ledger in
        guard let current = try ledger.app(record.id), current.deletedAt == nil else {
          throw DeployFailure.appDestroyed
        }
        if let push { try Self.refuseBadPush(push, current) }
        let superseded = try ledger.openBuild(id, app: record.id, by: account, push: push)
        guard let build = try ledger.build(id) else { throw DeployFailure.appDestroyed }
        return (build, superseded)
      }
      await cancel(superseded)
      begin(build, of: record, output)
      return resource(build, of: record)
    } catch {
      // Also for a receiver that is not there to hear of the refusal.
      if let push { await desk.tell(.discardQuarantine(push: push.push), app: record.id) }
      // The first error is the one to tell; what is left of the directory goes at the next start.
      try? await blocking { try Files.removeTree(directory) }
      if let failure = error as? DeployFailure { throw failure.conflict }
      throw error
    }
  }

  private static func refuseBadPush(_ push: PushContext, _ app: AppRecord) throws {
    if push.old != app.tip ?? .zero { throw DeployFailure.tipMoved(to: app.tip) }
    if let branch = app.deployBranch, push.ref.branch != branch {
      throw APIError.conflict(
        "\(app.name) deploys the branch '\(branch)', not '\(push.ref.branch ?? push.ref.description)'",
        next: "git push paas \(push.ref.branch ?? "HEAD"):\(branch)")
    }
  }

  /// Ends builds that somebody else's commit, push or wish has made void.
  func cancel(_ builds: [BuildID]) async {
    for build in builds {
      running.withLock { $0[build]?.task.cancel() }
      await builder.cancel(build)
    }
  }

  /// Ends every build that has not committed, because the server ends: their pushes are refused with B09. Returns when
  /// all have said so.
  public func endBuilds() async {
    stopping.withLock { $0 = true }
    let builds = running.withLock { $0 }
    for (id, build) in builds {
      build.task.cancel()
      await builder.cancel(id)
    }
    for build in builds.values { await build.task.value }
  }

  private func begin(_ build: BuildRecord, of app: AppRecord, _ output: BuildOutput) {
    running.withLock { running in
      running[build.id] = RunningBuild(
        app: app.id,
        task: Task {
          await self.carryOut(build, of: app, output)
          self.running.withLock { $0[build.id] = nil }
        }, output: output)
    }
  }

  /// Deploys, and ends the output with what came of it.
  private func carryOut(_ build: BuildRecord, of app: AppRecord, _ output: BuildOutput) async {
    let push = PushOutput { output.write($0) }
    do {
      let release = try await deploy(build, of: app, to: push)
      push.text("Verifying deploy... done.\n")
      output.finish(0, StreamExit(committed: true, release: release.version))
    } catch {
      let failure = await explain(error, build: build.id, phase: .build)
      await end(build, with: failure)
      push.text(PushText.failure(failure))
      output.finish(1, StreamExit(committed: false, code: failure.code, reason: failure.message))
    }
    await cleanUp(build.id)
  }

  /// Writes down that a build ended without a commit.
  func end(_ build: BuildRecord, with failure: DeployFailure) async {
    do {
      try await store.write { ledger in
        let release = try ledger.releases(of: build.app).last { $0.build == build.id }
        try ledger.fail(build.id, failure.code, failure.message, release: release?.id)
        // A release that failed has written its failure down already.
        guard release == nil, try ledger.app(build.app) != nil else { return }
        try ledger.addFailure(
          app: build.app, phase: failure.phase.rawValue, code: failure.code, message: failure.message)
      }
    } catch {
      logger.error("build failure not written down", metadata: ["build": "\(build.id)", "cause": "\(error)"])
    }
    if let push = build.push { await desk.tell(.discardQuarantine(push: push.push), app: build.app) }
    logs.note(build.app, "Build \(build.id) failed: \(failure.oneLine)")
    logger.info("build failed", metadata: ["build": "\(build.id)", "code": "\(failure.code.rawValue)"])
  }

  /// Only the stored output outlives a build.
  func cleanUp(_ build: BuildID) async {
    let directory = buildDirectory(build)
    do {
      try await blocking {
        for name in try Files.names(in: directory) where name != "output.records" {
          try Files.removeTree("\(directory)/\(name)")
        }
      }
    } catch {
      logger.error("build directory not cleaned", metadata: ["build": "\(build)", "cause": "\(error)"])
    }
  }

  /// Step 3: one build at a time per app, without the release lock.
  func buildSlug(_ build: BuildRecord, of app: AppRecord, to output: PushOutput) async throws -> BuildResult {
    try await buildLocks.hold(app.id) {
      try Task.checkCancellation()
      let environment = try await self.store.read { ledger in
        try ledger.app(app.id).map { try ledger.currentConfig(of: $0) } ?? [:]
      }
      let request = BuildRequest(
        build: build.id, app: app.app, hostUser: await self.hostUser(of: app.id),
        sourceTar: self.buildDirectory(build.id) + "/source.tar", workDirectory: self.buildDirectory(build.id),
        cacheDirectory: "\(self.configuration.dataDirectory)/cache/\(app.id)",
        slugDirectory: self.configuration.dataDirectory + "/slugs",
        environment: Dictionary(uniqueKeysWithValues: environment.map { ($0.key.description, $0.value) }),
        timeout: Self.buildTimeout)
      let result = try await self.builder.build(request, output.write)
      try Task.checkCancellation()
      try await self.store.write { try $0.note(result, of: build.id) }
      return result
    }
  }
}

extension DeployFailure {
  /// As the answer to somebody who has no build yet.
  fileprivate var conflict: APIError { APIError(id: "conflict", message: oneLine, next: nextStep) }
}

extension ControlPlane {
  /// Oldest first.
  public func builds(_ app: String, by account: Account) async throws -> [BuildResource] {
    let record = try await find(app, by: account)
    return try await store.read { try $0.builds(of: record.id) }.map { resource($0, of: record) }
  }

  public func build(_ app: String, _ build: String, by account: Account) async throws -> BuildResource {
    let record = try await find(app, by: account)
    return resource(try await find(build, of: record), of: record)
  }

  /// Encoded records from a byte offset on; follows until the exit record.
  public func buildOutput(_ app: String, build: String, offset: Int, by account: Account) async throws
    -> AsyncThrowingStream<[UInt8], any Error>
  {
    let record = try await find(build, of: try await find(app, by: account))
    let live = running.withLock { $0[record.id]?.output }
    let path = buildDirectory(record.id) + "/output.records"
    guard Files.exists(path) else { throw APIError.notFound("the output of build", build) }
    return BuildOutput.follow(path, from: offset, live: live)
  }

  private func find(_ build: String, of app: AppRecord) async throws -> BuildRecord {
    if let id = BuildID(build), let record = try await store.read({ try $0.build(id) }), record.app == app.id {
      return record
    }
    throw APIError.notFound("build", build, next: "see `paas builds -a \(app.name)`")
  }

  func resource(_ build: BuildRecord, of app: AppRecord) -> BuildResource {
    BuildResource(
      id: build.id.description, app: NamedReference(id: app.id.description, name: app.name.description),
      status: build.status.rawValue,
      user: AccountReference(id: build.account.id.description, email: build.account.email),
      source_blob: .init(version: build.push?.new.description, version_description: build.push?.subject),
      output_stream_url: "/apps/\(app.name)/builds/\(build.id)/output",
      release: build.release.map { id in
        NamedReference(id: id.description, name: build.releaseVersion?.description ?? "")
      },
      slug: build.slug.map { .init(id: $0.digest.description, size: $0.size) },
      buildpacks: build.buildpack.map { [$0] } ?? [],
      failure: build.failure.map { "\(build.failureCode?.rawValue ?? "H99"): \($0)" },
      created_at: build.createdAt.rfc3339, updated_at: build.updatedAt.rfc3339)
  }
}
