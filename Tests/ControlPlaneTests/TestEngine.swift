import Glibc
import Linux
import Platform

/// An engine without processes: its "commands" say how a boot goes. `crash` ends at once, `hang` never comes up,
/// everything else is up when asked. One-off commands are real shells.
actor TestEngine: Engine {
  private var known: [InstanceID: Instance] = [:]
  private(set) var workloads: [WorkloadKey: Workload] = [:]
  private(set) var stopped: [WorkloadKey] = []
  private(set) var forgotten: [AppID] = []
  private(set) var released: Set<Address> = []
  private(set) var applied = 0
  private var nextPort = 20_000
  var damaged: Set<SlugDigest> = []

  func damage(_ slug: SlugDigest) { damaged.insert(slug) }

  /// As after a reboot.
  func loseEverything() { known = [:] }

  func crashEverything() {
    for id in known.keys { known[id]?.state = .crashed(status: 1, at: .now) }
  }

  func prepare(app: AppID, slug: Slug) throws {
    if damaged.contains(slug.digest) { throw BootFailure.slugDamaged(slug.digest) }
  }

  func apply(_ workload: Workload) {
    workloads[workload.key] = workload
    applied += 1
    known = known.filter { $0.value.key != workload.key || $0.value.index <= workload.quantity }
    for index in 1...max(1, workload.quantity) where index <= workload.quantity {
      if known.values.contains(where: { $0.key == workload.key && $0.index == index }) { continue }
      nextPort += 1
      let id = InstanceID()
      known[id] = Instance(
        id: id, key: workload.key, index: index, release: workload.release, state: .starting,
        address: workload.key.process == .web ? Address(host: "127.0.0.1", port: nextPort) : nil)
    }
  }

  func booted(_ key: WorkloadKey, timeout: Duration) async throws {
    let command = workloads[key]?.command ?? ""
    if command == "crash" {
      throw BootFailure.crashed(instance: "\(key.process).1", status: 3, lastLines: ["no module named 'flask'"])
    }
    if command == "hang" { throw BootFailure.timeout(instance: "\(key.process).1", after: timeout, lastLines: []) }
    if command == "block" { while true { try await Task.sleep(for: .seconds(3600)) } }
    for id in known.filter({ $0.value.key == key }).keys { known[id]?.state = .up(since: .now) }
  }

  func stop(_ key: WorkloadKey, grace: Duration) {
    stopped.append(key)
    known = known.filter { $0.value.key != key }
  }

  func runOnce(_ oneOff: OneOff) throws -> any RunningOneOff {
    let (input, output, errors) = (try TestPipe(), try TestPipe(), try TestPipe())
    let child = try Child.spawn(
      ChildRequest(
        path: "/bin/sh", arguments: ["-c", oneOff.command], environment: oneOff.environment,
        descriptors: [0: input.reader, 1: output.writer, 2: errors.writer]))
    for end in [input.reader, output.writer, errors.writer] { close(end) }
    return TestOneOff(child: child, input: input.writer, output: output.reader, errors: errors.reader)
  }

  func instances(of app: AppID?) -> [Instance] { known.values.filter { app == nil || $0.key.app == app } }
  func events() -> AsyncStream<EngineEvent> { AsyncStream { _ in } }
  func release(_ addresses: [Address]) { released.formUnion(addresses) }
  func forget(app: AppID) { forgotten.append(app) }
  func capabilities() -> EngineCapabilities {
    EngineCapabilities(canRun: true, missing: [], perAppUsers: false, resourceLimits: false)
  }
}

private struct TestPipe {
  var reader: Int32, writer: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    try checked("make a pipe") { pipe(&ends) }
    (reader, writer) = (ends[0], ends[1])
  }
}

private struct TestOneOff: RunningOneOff {
  let child: Child
  let input: Int32
  let output: Int32
  let errors: Int32?
  func resize(_ size: TerminalSize) {}
  func signal(_ number: Int32) { child.signal(number) }
  func exitStatus() async -> Int { Int(await child.exitStatus()) }
}
