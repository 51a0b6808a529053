import Glibc
import Linux
import Logging
import Platform

/// Facts out: noticing that an instance came up or ended, and starting it again. The tasks here hold the engine only
/// while they act, never while they wait.
extension LocalEngine {
  /// Waits, for as long as it takes, until this attempt's first process is gone.
  func watch(_ record: InstanceRecord) {
    guard let process = record.process else { return }
    Task { [weak self, launcher] in
      while await !process.ended(within: .seconds(3600)) {}
      let status = await launcher.exitStatus(record)
      // Without conmon's word (it was killed too) the end is a crash like any other.
      await self?.ended(record.id, attempt: record.attempt, status: status ?? 255)
    }
  }

  /// Finds out when this attempt is up, and from then on that its port stays its own. A web process must own every
  /// socket that listens on its port.
  func probe(_ record: InstanceRecord) {
    guard let process = record.process else { return }
    let settled = ContinuousClock.now + configuration.settleTime
    let patience = ContinuousClock.now + .seconds(10)
    Task { [weak self] in
      while process.isAlive, self != nil {
        let isUp: Bool
        if let port = record.address?.port {
          isUp = await blocking {
            ListeningSockets.belong(port: port, to: process.pid) && ListeningSockets.accepts(port: port)
          }
        } else {
          isUp = ContinuousClock.now >= settled
        }
        if isUp, process.isAlive {
          await self?.cameUp(record.id, attempt: record.attempt)
          await self?.guardPort(record)
          return
        }
        let pause = ContinuousClock.now < patience ? Duration.milliseconds(50) : .milliseconds(250)
        do { try await Task.sleep(for: pause) } catch { return }  // never cancelled
      }
    }
  }

  /// Looks every few seconds whether requests still reach this attempt: a process that closed its socket may find that
  /// somebody else on the machine took the port. Then it is no longer up, and is ended, for another attempt elsewhere.
  func guardPort(_ record: InstanceRecord) {
    guard let process = record.process, let port = record.address?.port else { return }
    let interval = configuration.portCheckInterval
    Task { [weak self, logger] in
      while process.isAlive, self != nil {
        do {
          if try await blocking({ try ListeningSockets.isForeign(port: port, to: process.pid) }), process.isAlive {
            await self?.lostPort(record, process)
            return
          }
        } catch {
          // Not knowing is no reason to end an instance.
          logger.warning("port's owner not found out", metadata: ["port": "\(port)", "error": "\(error)"])
        }
        do { try await Task.sleep(for: interval) } catch { return }  // never cancelled
      }
    }
  }

  private func lostPort(_ record: InstanceRecord, _ process: ProcessIdentity) {
    guard let slot = slots[record.id], slot.record.attempt == record.attempt, slot.state.isUp, !slot.record.stopping
    else { return }
    logger.error("somebody else listens on the port: ending the instance", metadata: metadata(record))
    change(record.id, to: .crashed(status: 255, at: .now))  // routes must not wait for its end
    process.signal(SIGKILL)
  }

  private func cameUp(_ id: InstanceID, attempt: Int) async {
    guard var slot = slots[id], slot.record.attempt == attempt, slot.state == .starting else { return }
    let now = Timestamp.now
    slot.record.upSince = now
    slot.record.wasUp = true
    slot.upAt = .now
    slots[id] = slot
    // First on disk, then said: a server that dies now must not leave an instance that was up and is not known to be.
    await save(slot.record)
    guard let saved = slots[id], saved.record.attempt == attempt, saved.state == .starting, !saved.record.stopping
    else { return }
    change(id, to: .up(since: now))
  }

  private func ended(_ id: InstanceID, attempt: Int, status: Int) async {
    guard var slot = slots[id], slot.record.attempt == attempt, !slot.record.stopping else { return }
    let delay = slot.record.policy.crashed(after: slot.upAt.map { $0.duration(to: .now) } ?? .zero)
    let past = slot.record
    slot.record.process = nil
    slot.record.monitor = nil
    slot.record.upSince = nil
    slot.upAt = nil
    slots[id] = slot
    change(id, to: .crashed(status: status, at: .now))
    await launcher.clean(past)
    await save(slot.record)
    if slot.record.wasUp { scheduleRestart(slot.record, after: delay) }
  }

  func scheduleRestart(_ record: InstanceRecord, after delay: Duration) {
    Task { [weak self] in
      do { try await Task.sleep(for: delay) } catch { return }  // never cancelled
      await self?.restart(record.id, attempt: record.attempt)
    }
  }

  /// Moves a crashed slot to its next attempt, on another port if somebody took its own meanwhile.
  func beginAttempt(_ id: InstanceID) {
    guard var slot = slots[id] else { return }
    slot.record.attempt += 1
    slot.launching = true
    slot.state = .starting
    if let old = slot.record.address?.port, !PortLeases.isUnused(old),
      let port = leases.lease(isFree: PortLeases.isUnused)
    {
      slot.record.address?.port = port
      releaseLater([old])  // a router may still know it
    }
    slots[id] = slot
  }

  private func restart(_ id: InstanceID, attempt: Int) async {
    guard let slot = slots[id], slot.record.attempt == attempt, !slot.record.stopping, !slot.launching,
      case .crashed = slot.state
    else { return }
    beginAttempt(id)
    guard let next = slots[id]?.record else { return }
    do {
      await saveLeases()
      try await start(next, lower: try await ready(app: next.workload.key.app, slug: next.workload.slug))
    } catch {
      logger.error("instance cannot be started again", metadata: metadata(next, ["error": "\(error)"]))
      guard var slot = slots[id] else { return }
      slot.launching = false
      let delay = slot.record.policy.crashed(after: .zero)
      slots[id] = slot
      guard !slot.record.stopping else { return }
      change(id, to: .crashed(status: 255, at: .now))
      scheduleRestart(slot.record, after: delay)
    }
  }

  /// A record that cannot be written costs the next server this instance, not this one.
  func save(_ record: InstanceRecord) async {
    do {
      try await blocking { [directory] in try record.save(in: directory) }
    } catch {
      logger.error("instance record not saved", metadata: metadata(record, ["error": "\(error)"]))
    }
  }

  func removeFiles(_ record: InstanceRecord) async {
    do {
      try await blocking { [directory] in try Files.removeTree(directory.instance(record.id)) }
    } catch {
      logger.error("instance files stay", metadata: metadata(record, ["error": "\(error)"]))
    }
  }
}
