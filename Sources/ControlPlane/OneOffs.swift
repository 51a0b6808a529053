import Glibc
import Linux
public import Platform
import Store
public import Wire

extension ControlPlane {
  /// `paas run`: one process of the live release. A command that is the name of a process type runs that type's
  /// command. The caller relays its streams and waits for its end.
  public func run(_ app: String, _ request: RunRequest, by account: Account) async throws -> any RunningOneOff {
    let record = try await find(app, by: account)
    guard let (release, config) = try await live(record), let slug = release.slug else {
      throw APIError.conflict("nothing is deployed to \(record.name)", next: "git push paas main")
    }
    for (name, value) in request.env {
      do throws(NameError) { _ = try ConfigKey(name) } catch { throw APIError.invalid(error) }
      if value.utf8.contains(0) { throw APIError.invalid("the value of \(name) holds a NUL byte") }
    }
    let type = try? ProcessType(request.command)
    let oneOff = OneOff(
      app: record.app, release: release.version, slug: slug,
      command: type.flatMap { release.processTypes[$0] } ?? request.command,
      environment: Environment.of(record.app, release, config: config).merging(request.env) { $1 },
      name: "run.\(Int.random(in: 1000...9999))", terminal: request.terminal)
    logs.note(record.id, "Starting process with command `\(printable(request.command))` by user \(account.email)")
    do {
      try await engine.prepare(app: record.id, slug: slug)
      return try await engine.runOnce(oneOff)
    } catch let failure as BootFailure {
      throw DeployFailure(failure).apiError
    }
  }

  /// What is live, with its config; `nil` before the first release.
  func live(_ app: AppRecord) async throws -> (ReleaseRecord, ConfigVars)? {
    try await store.read { ledger in
      guard let release = try ledger.currentRelease(of: app.id) else { return nil }
      return (release, try ledger.config(of: release.id, app: app.id))
    }
  }

  /// The Procfile's `release:` command, once, with the new release's config; its output goes to the pusher.
  func runReleasePhase(_ candidate: Candidate, to output: PushOutput) async throws {
    let (app, release) = (candidate.launch.app, candidate.release)
    guard let slug = release.slug, let command = release.processTypes[.release] else { return }
    try Task.checkCancellation()
    output.step("Running release command...")
    let oneOff = OneOff(
      app: app.app, release: release.version, slug: slug, command: command,
      environment: Environment.of(app.app, release, config: candidate.launch.config),
      name: "release.\(Int.random(in: 1000...9999))")
    let process = try await engine.runOnce(oneOff)
    close(process.input)
    let lines = LastLines()
    let status = await withTaskCancellationHandler {
      await relay(process) { bytes in
        lines.add(bytes)
        output.write(bytes)
      }
    } onCancel: {
      process.signal(SIGKILL)
    }
    guard status != 0 else { return }
    throw DeployFailure(
      .release, .releasePhaseFailed, "the release command exited with status \(status)",
      evidence: output.isSilent ? lines.lines : [],
      next: "correct the `release:` command in the Procfile and push again")
  }

  /// Reads both outputs to their ends, closes them, and waits for the process.
  private func relay(_ process: any RunningOneOff, _ emit: @escaping @Sendable ([UInt8]) -> Void) async -> Int {
    await withTaskGroup(of: Void.self) { group in
      for descriptor in [process.output, process.errors].compactMap({ $0 }) {
        group.addTask { await blocking { readAll(descriptor, emit) } }
      }
    }
    return await process.exitStatus()
  }
}

/// Reads to the end and closes. Blocks.
private func readAll(_ descriptor: Int32, _ emit: ([UInt8]) -> Void) {
  defer { close(descriptor) }
  var buffer = [UInt8](repeating: 0, count: 16 << 10)
  while true {
    let count = read(descriptor, &buffer, buffer.count)
    if count < 0, errno == EINTR { continue }
    if count <= 0 { return }
    emit(Array(buffer[0..<count]))
  }
}
