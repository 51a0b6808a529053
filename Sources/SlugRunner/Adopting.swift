import FoundationEssentials
import Linux
import Logging
import Platform
import Sandbox

/// What one server leaves to the next: living instances, leases, and things to sweep up.
extension LocalEngine {
  /// Takes up what an earlier server left: watches its living instances, counts its dead ones as crashed, finishes
  /// what it was stopping, and ends everything else in this installation's sandboxes (builds, one-offs). Call it once,
  /// before anything else is started.
  public func adopt() async {
    do {
      try await blocking { [directory, shelf] in
        try directory.make()
        try shelf.sweepAfterBoot()
      }
      let bytes = try await blocking { [directory] in
        Files.exists(directory.leases) ? try Files.read(directory.leases) : []
      }
      if !bytes.isEmpty { leases = try JSONDecoder().decode(PortLeases.self, from: Data(bytes)) }
    } catch {
      logger.error("engine directory cannot be read", metadata: ["error": "\(error)"])
    }
    for name in names(in: directory.instances) {
      if let id = InstanceID(name) { await adopt(id) }
    }
    await sweep()
    dropOrphanedLeases()
    maintain()
  }

  private func names(in path: String) -> [String] {
    do { return try Files.names(in: path).sorted() } catch {
      logger.error("engine directory cannot be listed", metadata: ["error": "\(error)"])
      return []
    }
  }

  private func adopt(_ id: InstanceID) async {
    let record: InstanceRecord
    do {
      record = try await blocking { [directory] in try .load(id, in: directory) }
    } catch {
      // Died before the first record was written: nothing runs yet.
      logger.info("incomplete instance removed", metadata: ["id": "\(id)", "error": "\(error)"])
      await blocking { [directory] in _ = try? Files.removeTree(directory.instance(id)) }
      return
    }
    if let port = record.address?.port { leases.keep(port) }
    let sameBoot = record.bootID == Machine.bootID
    guard sameBoot, record.process != nil || record.wasUp else {
      await launcher.clean(record)
      await removeFiles(record)
      return
    }
    slots[id] = Slot(record: record, state: record.upSince.map { .up(since: $0) } ?? .starting)
    logger.info("instance adopted", metadata: metadata(record, ["pid": "\(record.process?.pid ?? 0)"]))
    if record.stopping {
      slots[id]?.record.stopping = false
      Task { await self.stop(id, grace: self.configuration.stopGrace) }
    } else if record.process == nil {
      slots[id]?.state = .crashed(status: 255, at: .now)
      scheduleRestart(record, after: RestartPolicy.first)
    } else {
      slots[id]?.upAt = record.upSince == nil ? nil : .now
      watch(record)
      if record.upSince == nil { probe(record) }
    }
  }

  /// Sandboxes without a record are leftovers: their other end, our pipes, is gone.
  private func sweep() async {
    let known = Set(slots.values.map { launcher.containerID($0.record) })
    for id in await sandbox.list() where !known.contains(id) { await sandbox.destroy(id: id) }
    await blocking { [directory] in
      for name in (try? Files.names(in: directory.oneOffs)) ?? [] {  // what stays costs disk only
        _ = try? Files.removeTree("\(directory.oneOffs)/\(name)")
      }
      for app in (try? Files.names(in: directory.unpacked)) ?? [] {
        let trees = (try? Files.names(in: "\(directory.unpacked)/\(app)")) ?? []
        for tree in trees where tree.contains(".tmp.") {
          _ = try? Files.removeTree("\(directory.unpacked)/\(app)/\(tree)")
        }
      }
    }
  }

  private func dropOrphanedLeases() {
    let held = Set(slots.values.compactMap(\.record.address?.port))
    let orphaned = leases.taken.subtracting(held)
    guard !orphaned.isEmpty else { return }
    Task { [weak self, configuration] in
      do { try await Task.sleep(for: configuration.orphanedLeaseTime) } catch { return }  // never cancelled
      await self?.release(orphaned.map { Address(host: "127.0.0.1", port: $0) })
    }
  }

  /// Writes the leases, one write after the other.
  func saveLeases() async {
    let previous = leaseSave
    let task = Task { [leases, directory, logger] in
      await previous?.value
      do {
        try await blocking { try Files.writeDurably(JSONEncoder().encode(leases), to: directory.leases) }
      } catch {
        logger.error("port leases not saved", metadata: ["error": "\(error)"])
      }
    }
    leaseSave = task
    await task.value
  }

  /// Once a minute: rotates large logs, and ends instances whose conmon was killed (their output goes nowhere, and
  /// their next write would end them anyway); their end counts as a crash.
  private func maintain() {
    Task { [weak self] in
      while self != nil {
        await self?.maintainOnce()
        do { try await Task.sleep(for: .seconds(60)) } catch { return }  // never cancelled
      }
    }
  }

  func maintainOnce() async {
    for record in slots.values.map(\.record) {
      guard let process = record.process, process.isAlive else { continue }
      if let monitor = record.monitor, !monitor.isAlive {
        logger.error("conmon is gone: ending its instance", metadata: metadata(record))
        process.signal(9)
        continue
      }
      do {
        try await blocking { [directory] in
          try LogFile.rotate(directory.log(record), bundle: "\(directory.instance(record.id))/bundle")
        }
      } catch {
        logger.error("log not rotated", metadata: metadata(record, ["error": "\(error)"]))
      }
    }
  }
}
