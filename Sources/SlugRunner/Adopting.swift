import FoundationEssentials
import Glibc
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
    do {
      let ids = try await blocking { [directory] in
        try Files.names(in: directory.instances).sorted().compactMap { InstanceID($0) }
      }
      let unreadable = await adopt(ids)
      await sweep(sparing: unreadable)
      if unreadable.isEmpty { dropOrphanedLeases() }  // else one of them may hold a port
    } catch {
      // Nothing is swept: all that runs would look like a leftover.
      logger.error("engine directory cannot be listed", metadata: ["error": "\(error)"])
    }
    maintain()
  }

  /// Only a record that does not exist tells of an instance of which nothing runs. One that cannot be read may be a
  /// living one's, and is left alone; returns those.
  private func adopt(_ ids: [InstanceID]) async -> Set<InstanceID> {
    var unreadable: Set<InstanceID> = []
    for id in ids {
      do {
        await adopt(try await blocking { [directory] in try InstanceRecord.load(id, in: directory) })
      } catch {
        if (error as? SystemError)?.number == ENOENT {
          // Died before the first record was written: nothing runs yet.
          logger.info("incomplete instance removed", metadata: ["id": "\(id)"])
          await blocking { [directory] in _ = try? Files.removeTree(directory.instance(id)) }
        } else {
          logger.error("instance record unreadable: left alone", metadata: ["id": "\(id)", "error": "\(error)"])
          unreadable.insert(id)
        }
      }
    }
    return unreadable
  }

  private func adopt(_ record: InstanceRecord) async {
    let id = record.id
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
      await launcher.clean(record)  // it may have been created, and not yet recorded
      scheduleRestart(record, after: RestartPolicy.first)
    } else {
      slots[id]?.upAt = record.upSince == nil ? nil : .now
      watch(record)
      if record.upSince == nil { probe(record) } else { guardPort(record) }
    }
  }

  /// Sandboxes without a record are leftovers: their other end, our pipes, is gone.
  private func sweep(sparing unreadable: Set<InstanceID>) async {
    let known = Set(slots.values.map { launcher.containerID($0.record) })
    let spared = unreadable.map { sandbox.identifier("\($0)-") }
    for id in await sandbox.list() where !known.contains(id) && !spared.contains(where: id.hasPrefix) {
      await sandbox.destroy(id: id)
    }
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
    if !orphaned.isEmpty { releaseLater(orphaned) }
  }

  /// Releases ports of which nobody else will say that no router uses them any more.
  func releaseLater(_ ports: Set<Int>) {
    Task { [weak self, configuration] in
      do { try await Task.sleep(for: configuration.orphanedLeaseTime) } catch { return }  // never cancelled
      await self?.release(ports.map { Address(host: "127.0.0.1", port: $0) })
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
