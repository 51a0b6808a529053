import Glibc
import Linux
import Logging
public import Platform
import Sandbox

/// Desired state in: starting, waiting for, and stopping instances.
extension LocalEngine {
  public func apply(_ workload: Workload) async throws {
    let lower = try await ready(app: workload.key.app, slug: workload.slug)
    let user = sandbox.capabilities.perAppUsers ? await configuration.uidForApp(workload.key.app) : 0
    // No suspension from here until every missing index has its slot: two calls at once must not both start it.
    let present = slots.values.filter { $0.record.workload.key == workload.key && !$0.record.stopping }
    let surplus = present.filter { $0.record.index > workload.quantity }.map(\.record.id)
    var starting: [InstanceID] = present.filter(neverCameUp).map(\.record.id).filter { !surplus.contains($0) }
    for id in starting { beginAttempt(id) }
    let taken = Set(present.map(\.record.index))
    if workload.quantity > 0 {
      for index in 1...workload.quantity where !taken.contains(index) {
        starting.append(try reserve(workload, index: index, hostUser: user))
      }
    }
    await saveLeases()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for id in starting { group.addTask { try await self.launch(id, lower: lower) } }
      try await group.waitForAll()
    }
    await withTaskGroup(of: Void.self) { group in
      for id in surplus { group.addTask { await self.stop(id, grace: self.configuration.stopGrace) } }
    }
  }

  private func neverCameUp(_ slot: Slot) -> Bool {
    guard case .crashed = slot.state else { return false }
    return !slot.record.wasUp && !slot.launching
  }

  private func reserve(_ workload: Workload, index: Int, hostUser: UInt32) throws -> InstanceID {
    var address: Address?
    if workload.key.process == .web {
      guard let port = leases.lease(isFree: PortLeases.isUnused) else {
        let range = PortLeases.range
        throw BootFailure.sandbox("all ports from \(range.lowerBound) to \(range.upperBound) are in use")
      }
      address = Address(host: "127.0.0.1", port: port)
    }
    let record = InstanceRecord(
      id: InstanceID(), workload: workload, index: index, hostUser: hostUser, address: address,
      bootID: Machine.bootID)
    slots[record.id] = Slot(record: record, state: .starting, launching: true)
    return record.id
  }

  /// Starts an instance for the first time. When that fails nothing of it remains.
  private func launch(_ id: InstanceID, lower: String) async throws {
    guard let slot = slots[id] else { return }
    do {
      try await start(slot.record, lower: lower)
    } catch {
      slots[id] = nil
      if let port = slot.record.address?.port { leases.release(port) }
      await removeFiles(slot.record)
      throw error
    }
  }

  /// Starts the slot's attempt, and watches it from then on.
  func start(_ record: InstanceRecord, lower: String) async throws {
    let started = try await launcher.launch(record, lower: lower)
    guard var slot = slots[record.id] else { return }
    slot.record.process = started.process
    slot.record.monitor = started.monitor
    slot.record.bootID = started.bootID
    slot.launching = false
    slots[record.id] = slot
    if !slot.record.stopping { change(record.id, to: .starting) }
    watch(slot.record)
    probe(slot.record)
  }

  public func booted(_ key: WorkloadKey, timeout: Duration) async throws {
    let deadline = ContinuousClock.now + timeout
    while true {
      let mine = slots.values.filter { $0.record.workload.key == key && !$0.record.stopping }
        .sorted { $0.record.index < $1.record.index }
      for slot in mine {
        guard case .crashed(let status, _) = slot.state else { continue }
        throw BootFailure.crashed(instance: slot.record.name, status: status, lastLines: await lastLines(slot.record))
      }
      guard let waiting = mine.first(where: { !$0.state.isUp }) else { return }
      if ContinuousClock.now >= deadline {
        throw BootFailure.timeout(
          instance: waiting.record.name, after: timeout, lastLines: await lastLines(waiting.record))
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  private func lastLines(_ record: InstanceRecord) async -> [String] {
    await blocking { [directory] in LogFile.lastLines(20, of: directory.log(record)) }
  }

  public func stop(_ key: WorkloadKey, grace: Duration) async {
    let ids = slots.values.filter { $0.record.workload.key == key }.map(\.record.id)
    await withTaskGroup(of: Void.self) { group in
      for id in ids { group.addTask { await self.stop(id, grace: grace) } }
    }
  }

  /// Ends one instance; returns when it is gone. Two calls at once wait for the same end.
  func stop(_ id: InstanceID, grace: Duration) async {
    guard var slot = slots[id] else { return }
    if let running = slot.stopTask { return await running.value }
    let task = Task { await self.end(id, grace: grace) }
    slot.stopTask = task
    slot.record.stopping = true
    slots[id] = slot
    change(id, to: .stopping)
    await task.value
  }

  private func end(_ id: InstanceID, grace: Duration) async {
    // A start that is under way cannot be cut short; it takes about 0.1 s.
    while slots[id]?.launching == true { try? await Task.sleep(for: .milliseconds(10)) }  // never cancelled
    guard let record = slots[id]?.record else { return }
    await save(record)
    if let process = record.process { await terminate(process, grace: grace) }
    _ = await launcher.exitStatus(record)  // so that the last of the log is written
    await launcher.clean(record)
    await removeFiles(record)
    slots[id] = nil
    logger.info("instance stopped", metadata: metadata(record))
  }

  private func terminate(_ process: ProcessIdentity, grace: Duration) async {
    let deadline = ContinuousClock.now + grace
    var shells = await blocking { ProcessTree.terminate(process) }
    while ContinuousClock.now < deadline {
      let left = deadline - .now
      if await process.ended(within: shells.isEmpty ? left : min(left, .milliseconds(100))) { return }
      for shell in shells where !shell.children.contains(where: \.isAlive) { shell.shell.signal(SIGTERM) }
      shells.removeAll { !$0.children.contains(where: \.isAlive) }
    }
    process.signal(SIGKILL)
    _ = await process.ended(within: .seconds(10))
  }

  public func release(_ addresses: [Address]) async {
    let held = Set(slots.values.compactMap(\.record.address?.port))
    for address in addresses where !held.contains(address.port) { leases.release(address.port) }
    await saveLeases()
  }
}

extension Instance.State {
  var isUp: Bool {
    if case .up = self { return true }
    return false
  }
}

func closeDescriptor(_ descriptor: Int32) { close(descriptor) }
