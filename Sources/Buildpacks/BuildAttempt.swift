internal import Archive
internal import Glibc
internal import Linux
internal import Platform
internal import Sandbox

/// One run of the build worker, seen from the server.
struct BuildAttempt {
  let builder: SlugBuilder
  let request: BuildRequest
  let running: RunningBuilds

  private var id: String { builder.sandbox.identifier("build-\(request.build)") }
  private var appDirectory: String { "\(request.workDirectory)/app" }
  private var temporaryDirectory: String { "\(request.workDirectory)/tmp" }
  private var bundle: String { "\(request.workDirectory)/bundle" }

  /// Prepares the directories, runs the worker to its end, judges what it left, and cleans up.
  func run(output: @escaping @Sendable ([UInt8]) -> Void) async throws -> BuildResult {
    await running.begin(request.build, sandbox: id)
    let outcome: Result<Yield, any Error>
    do {
      try await blocking { try makeDirectories() }
      outcome = .success(try await runWorker(output: output))
    } catch {
      outcome = .failure(error)
    }
    let ended = await running.finish(request.build)
    return try await blocking {
      defer { removeDirectories() }
      return try Verdict(request: request, ended: ended).result(of: try outcome.get())
    }
  }

  private func runWorker(output: @escaping @Sendable ([UInt8]) -> Void) async throws -> Yield {
    let pipes = try WorkerPipes(source: request.sourceTar)
    let process = try await start(pipes)
    let deadline = Task {
      try await Task.sleep(for: request.timeout)
      if let id = await running.end(request.build, because: .timeout) { await builder.sandbox.destroy(id: id) }
    }
    defer { deadline.cancel() }
    if await running.reason(request.build) != nil { await builder.sandbox.destroy(id: id) }

    let (limits, slugs, build) = (builder.limits, request.slugDirectory, request.build)
    async let ordered: Void = blocking { pipes.send(order()) }
    async let printed = blocking { pipes.passOutput(limit: limits.outputBytes, to: output) }
    async let complaints = blocking { pipes.readErrors() }
    async let summary = readOrEnd(process) { try pipes.readSummary() }
    async let slug = readOrEnd(process) {
      try SlugFile.receive(from: pipes.slug.readEnd, temporary: "\(slugs)/\(build).tmp", limit: limits.slugBytes)
    }
    let status = await process.exitStatus()
    await ordered
    return Yield(
      status: status, lastLines: await printed, complaints: await complaints, summary: await summary, slug: await slug)
  }

  /// Runs a read that can fail; when it does, nobody empties that pipe any more, so the worker is ended.
  private func readOrEnd<Value: Sendable>(
    _ process: SandboxProcess, _ read: @escaping @Sendable () throws -> Value
  ) async -> Result<Value, any Error> {
    await blocking {
      let result = Result { try read() }
      if case .failure = result { process.signal(SIGKILL) }
      return result
    }
  }

  private func start(_ pipes: WorkerPipes) async throws -> SandboxProcess {
    let spec = spec()
    try await blocking { try builder.sandbox.writeBundle(spec, at: bundle) }
    let process = try await builder.sandbox.start(
      spec, bundle: bundle, stdin: pipes.source, stdout: pipes.output.writeEnd, stderr: pipes.errors.writeEnd,
      extra: [
        WorkerDescriptor.summary: pipes.summary.writeEnd, WorkerDescriptor.slug: pipes.slug.writeEnd,
        WorkerDescriptor.order: pipes.order.readEnd,
      ])
    pipes.closeChildEnds()
    return process
  }

  private func spec() -> SandboxSpec {
    let mounts: [SandboxMount] = [
      SandboxMount(.bind(source: appDirectory, readOnly: false), at: WorkerPath.app),
      SandboxMount(.bind(source: request.cacheDirectory, readOnly: false), at: WorkerPath.cache),
      SandboxMount(.bind(source: "\(builder.shareDirectory)/buildpacks", readOnly: true), at: WorkerPath.buildpacks),
      SandboxMount(.bind(source: temporaryDirectory, readOnly: false), at: WorkerPath.temporary),
      SandboxMount(.tmpfs(megabytes: 64), at: WorkerPath.environment),
    ]
    return SandboxSpec(
      id: id, arguments: [SandboxMount.programPath, "worker", "build"],
      environment: BuildEnvironment.base(app: request.app), directory: WorkerPath.app, hostUser: request.hostUser,
      mounts: mounts + builder.sandbox.mounts(program: builder.programPath), hostname: "build")
  }

  private func order() -> WorkerOrder {
    let base = BuildEnvironment.base(app: request.app)
    return WorkerOrder(
      configVars: request.environment, environment: builder.environment.merging(base) { $1 },
      sourceEntries: builder.limits.source.entries, sourceBytes: builder.limits.source.totalBytes)
  }

  private func makeDirectories() throws {
    try Files.makeDirectory(request.workDirectory, mode: 0o711)
    for directory in [appDirectory, temporaryDirectory, bundle] { try Files.removeTree(directory) }
    for directory in [appDirectory, temporaryDirectory, request.cacheDirectory] {
      try Files.makeDirectory(directory, mode: 0o700)
      guard builder.sandbox.capabilities.perAppUsers else { continue }
      try checked("give '\(directory)' to user \(request.hostUser)") {
        lchown(directory, request.hostUser, request.hostUser)
      }
    }
    try Files.makeDirectory(request.slugDirectory, mode: 0o700)
  }

  /// What stays is swept with the build's directory.
  private func removeDirectories() {
    for directory in [appDirectory, temporaryDirectory] { _ = try? Files.removeTree(directory) }
  }
}

/// What a run of the worker left.
struct Yield: Sendable {
  var status: Int
  var lastLines: [String]
  /// The end of its standard error: crun's words, or the worker's about its own trouble.
  var complaints: [String]
  var summary: Result<WorkerSummary, any Error>
  var slug: Result<SlugFile, any Error>
}
