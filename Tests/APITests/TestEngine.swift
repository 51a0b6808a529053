import CLinux
import Glibc
import Linux
import Platform

/// An engine whose workloads are up as soon as they are asked for, and whose one-off commands are real shells.
actor TestEngine: Engine {
  func prepare(app: AppID, slug: Slug) {}
  func apply(_ workload: Workload) {}
  func booted(_ key: WorkloadKey, timeout: Duration) {}
  func stop(_ key: WorkloadKey, grace: Duration) {}

  func runOnce(_ oneOff: OneOff) throws -> any RunningOneOff {
    let (input, output, errors) = (try TestPipe(), try TestPipe(), try TestPipe())
    defer { for end in [input.reader, output.writer, errors.writer] { close(end) } }
    let child = try Child.spawn(
      ChildRequest(
        path: "/bin/sh", arguments: ["-c", oneOff.command], environment: oneOff.environment,
        descriptors: [0: input.reader, 1: output.writer, 2: errors.writer]))
    return TestOneOff(child: child, input: input.writer, output: output.reader, errors: errors.reader)
  }

  func instances(of app: AppID?) -> [Instance] { [] }
  func events() -> AsyncStream<EngineEvent> { AsyncStream { _ in } }
  func release(_ addresses: [Address]) {}
  func forget(app: AppID) {}
  func capabilities() -> EngineCapabilities {
    EngineCapabilities(canRun: true, missing: [], perAppUsers: false, resourceLimits: false)
  }
}

private struct TestPipe {
  let reader: Int32
  let writer: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("make a pipe") { paas_pipe(&ends) }
    (reader, writer) = (ends[0], ends[1])
  }
}

private struct TestOneOff: RunningOneOff {
  let child: Child
  let input: Int32
  let output: Int32
  let errors: Int32?
  func resize(_ size: TerminalSize) {}
  func signal(_ number: Int32) { child.signal(number, group: true) }
  func exitStatus() async -> Int { Int(await child.exitStatus()) }
}
