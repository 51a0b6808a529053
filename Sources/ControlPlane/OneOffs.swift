import Glibc
import Linux
public import Platform
import Store
import Synchronization
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
    let lines = LastLines()
    let status = await relay(try await engine.runOnce(oneOff), within: Self.releaseLimit) { bytes in
      lines.add(bytes)
      output.write(bytes)
    }
    guard status != 0 else { return }
    throw DeployFailure(
      .release, .releasePhaseFailed,
      status.map { "the release command exited with status \($0)" }
        ?? "the release command took longer than \(Self.releaseLimit.components.seconds) seconds",
      evidence: output.isSilent ? lines.lines : [],
      next: "correct the `release:` command in the Procfile and push again")
  }

  /// How long a release command may take: nothing else can be released to its app meanwhile.
  static let releaseLimit = Duration.seconds(600)

  /// Gives the process no input, reads both outputs to their ends and waits for it. Kills it at the limit and when this
  /// task is cancelled. `nil` when the limit came first.
  func relay(_ process: any RunningOneOff, within limit: Duration, _ emit: @escaping @Sendable ([UInt8]) -> Void)
    async -> Int?
  {
    close(process.input)
    let deadline = ContinuousClock.now + limit
    let isLate = Mutex(false)
    let timer = Task {
      try await Task.sleep(until: deadline, clock: .continuous)
      isLate.withLock { $0 = true }
      process.signal(SIGKILL)
    }
    defer { timer.cancel() }
    let cap = OutputCap(emit)
    let status = await withTaskCancellationHandler {
      await withTaskGroup(of: Void.self) { group in
        for descriptor in [process.output, process.errors].compactMap({ $0 }) {
          // A moment longer than the process: for its last words, but not for who else may hold the other end.
          group.addTask { await blocking { readAll(descriptor, until: deadline + .seconds(2), cap.add) } }
        }
      }
      return await process.exitStatus()
    } onCancel: {
      process.signal(SIGKILL)
    }
    return isLate.withLock { $0 } ? nil : status
  }
}

/// Passes a command's output on up to a limit, then says once that the rest is left out.
final class OutputCap: Sendable {
  static let limit = 4 << 20
  private let left = Mutex(OutputCap.limit)
  private let emit: @Sendable ([UInt8]) -> Void

  init(_ emit: @escaping @Sendable ([UInt8]) -> Void) { self.emit = emit }

  func add(_ bytes: [UInt8]) {
    let (taken, isLast) = left.withLock { left in
      let taken = min(left, bytes.count)
      let isLast = left >= 0 && taken < bytes.count
      left = isLast ? -1 : left - max(0, taken)
      return (max(0, taken), isLast)
    }
    if taken > 0 { emit(Array(bytes.prefix(taken))) }
    if isLast { emit(Array("\n(more output than \(Self.limit >> 20) MiB: the rest is left out)\n".utf8)) }
  }
}

/// Reads to the end or to the deadline, and closes. Blocks.
private func readAll(_ descriptor: Int32, until deadline: ContinuousClock.Instant, _ emit: ([UInt8]) -> Void) {
  defer { close(descriptor) }
  var buffer = [UInt8](repeating: 0, count: 16 << 10)
  while ContinuousClock.now < deadline {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, 1000) > 0 else { continue }
    let count = read(descriptor, &buffer, buffer.count)
    if count < 0, errno == EINTR { continue }
    if count <= 0 { return }
    emit(Array(buffer[0..<count]))
  }
}
