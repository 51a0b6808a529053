import CLinux
import FoundationEssentials
import Glibc
import Linux
import Platform
import Sandbox

/// Starts one instance under conmon, which outlives us: it holds the instance's output, writes its log, and leaves the
/// exit status in a file.
struct Launcher: Sendable {
  let sandbox: Sandbox
  let directory: EngineDirectory
  let limits: SandboxLimits

  func containerID(_ record: InstanceRecord) -> String {
    sandbox.identifier("\(record.id)-\(record.attempt)")
  }

  /// Starts this attempt of the instance and fills in its processes; saves the record before anything runs and before
  /// the app's first instruction, so that a server that dies in between finds what it left. Throws
  /// ``BootFailure/sandbox(_:)``; nothing runs then.
  func launch(_ given: InstanceRecord, lower: String) async throws -> InstanceRecord {
    var record = given
    record.bootID = Machine.bootID
    record.process = nil
    record.monitor = nil
    record.upSince = nil
    do {
      let prepared = record
      try await blocking { try prepare(prepared, lower: lower) }
      record.process = try await create(record)
      record.monitor = monitor(record)
      let created = record
      try await blocking { try created.save(in: directory) }
      let (status, errors) = try await sandbox.runtime(["start", containerID(record)])
      if status != 0 { throw BootFailure.sandbox("cannot start \(record.name): \(errors)") }
      return record
    } catch {
      await clean(record)
      if let failure = error as? BootFailure { throw failure }
      throw BootFailure.sandbox("cannot start \(record.name): \((error as? any Explained)?.message ?? "\(error)")")
    }
  }

  /// Removes the container and the exit file of an attempt that has ended; idempotent.
  func clean(_ record: InstanceRecord) async {
    let id = containerID(record)
    record.process?.signal(SIGKILL)
    await sandbox.destroy(id: id)
    unlink("\(directory.exits)/\(id)")
  }

  /// The status that conmon left. It writes the file after the last of the log; `nil` when it never will.
  func exitStatus(_ record: InstanceRecord) async -> Int? {
    let path = "\(directory.exits)/\(containerID(record))"
    func read() -> Int? {
      // Not there yet, or never.
      (try? Files.text(path)).flatMap { Int($0.split(separator: "\n").first ?? "") }
    }
    if let status = read() { return status }
    if let monitor = record.monitor { _ = await monitor.ended(within: .seconds(10)) }
    return read()
  }

  private func prepare(_ record: InstanceRecord, lower: String) throws {
    let home = directory.instance(record.id)
    for part in ["bundle", "upper", "work", "monitor.pid"] { try Files.removeTree("\(home)/\(part)") }
    try EngineDirectory.makeEnterable(home)
    for part in ["upper", "work"] { try sandbox.makeDirectory("\(home)/\(part)", for: record.hostUser) }
    try Files.makeDirectory(directory.logs(record.workload.key.app), mode: 0o700)
    let app = SandboxMount(.overlay(lower: lower, upper: "\(home)/upper", work: "\(home)/work"), at: "/app")
    let spec = SandboxSpec(
      id: containerID(record), arguments: Bootstrap.arguments(record.workload.command),
      environment: Bootstrap.environment(
        record.workload.environment, name: record.name, port: record.address?.port),
      hostUser: record.hostUser, mounts: [app], hostname: record.id.description, limits: limits)
    try sandbox.writeBundle(spec, at: "\(home)/bundle")
    try record.save(in: directory)
  }

  /// conmon returns at once; it tells the pid, or why there is none, through the pipe in `_OCI_SYNCPIPE`. One that does
  /// not is killed, and the runtime that it waits for dies with it.
  private func create(_ record: InstanceRecord) async throws -> ProcessIdentity {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("make a pipe") { paas_pipe(&ends) }
    let (read, write) = (ends[0], ends[1])
    defer { close(read) }
    var request = sandbox.childRequest(
      path: sandbox.programs.monitor, arguments: monitorArguments(record), descriptors: [3: write])
    request.environment["_OCI_SYNCPIPE"] = "3"
    let child: Child
    do {
      defer { close(write) }
      child = try Child.spawn(request)
    }
    let deadline = ContinuousClock.now + sandbox.patience
    let answer = await blocking { Self.line(from: read, until: deadline) }
    if answer == nil {
      monitor(record)?.signal(SIGKILL)
      ProcessIdentity(pid: child.pid)?.signal(SIGKILL)
    }
    let status = await child.exitStatus()
    struct Answer: Decodable {
      var pid: Int32?
      var data: Int32?
      var message: String?
    }
    guard let answer, let report = try? JSONDecoder().decode(Answer.self, from: Data(answer)) else {
      let reason = deadline > .now ? "ended with status \(status)" : "gave no answer within \(sandbox.patience)"
      throw BootFailure.sandbox("cannot start \(record.name): conmon \(reason)")
    }
    guard let pid = report.pid ?? report.data, pid > 0, let process = ProcessIdentity(pid: pid) else {
      throw BootFailure.sandbox("cannot start \(record.name): \(report.message ?? "conmon gave no reason")")
    }
    return process
  }

  private func monitorArguments(_ record: InstanceRecord) -> [String] {
    let id = containerID(record)
    let home = directory.instance(record.id)
    return [
      "--cid", id, "--cuuid", id, "--name", record.name, "--runtime", sandbox.programs.runtime,
      "--bundle", "\(home)/bundle", "--container-pidfile", "\(home)/pid", "--conmon-pidfile", "\(home)/monitor.pid",
      "--exit-dir", directory.exits, "--log-path", "k8s-file:\(directory.log(record))", "--log-level", "error",
      "--full-attach",
    ] + sandbox.runtimeArguments.flatMap { ["--runtime-arg", $0] }
  }

  private func monitor(_ record: InstanceRecord) -> ProcessIdentity? {
    // Without the file only its death goes unnoticed.
    (try? Files.text("\(directory.instance(record.id))/monitor.pid"))
      .flatMap { Int32($0.split(separator: "\n").first ?? "") }.flatMap { ProcessIdentity(pid: $0) }
  }

  private static func line(from descriptor: Int32, until deadline: ContinuousClock.Instant) -> [UInt8]? {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while line.count < 64 << 10, waitToRead(descriptor, until: deadline) {
      let count = Glibc.read(descriptor, &byte, 1)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return line.isEmpty ? nil : line }
      if byte == UInt8(ascii: "\n") { return line }
      line.append(byte)
    }
    return nil
  }
}
