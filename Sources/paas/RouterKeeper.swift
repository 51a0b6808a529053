import ControlPlane
import Glibc
import Linux
import Logging
import Platform
import Wire

/// Keeps one router serving, and exchanges it for another without refusing a connection: both accept from the same
/// listening socket until the new one has the routes in force; then the old one drains.
actor RouterKeeper {
  private let process: RouterProcess
  private let controlPlane: ControlPlane
  private let supervisor: Supervisor
  private let logger: Logger
  /// Routers that were told to end and have not yet.
  private var leaving: [ProcessIdentity: Task<Void, Never>] = [:]
  private var isExchanging = false

  /// How long a new router may take to have the routes in force.
  private static let readyTime = Duration.seconds(60)
  /// Beyond a router's own 30 s of draining.
  private static let drainTime = Duration.seconds(45)

  init(process: RouterProcess, controlPlane: ControlPlane, logger: Logger) {
    self.process = process
    self.controlPlane = controlPlane
    self.logger = logger
    supervisor = Supervisor(name: "router", logger: logger) {
      try await Self.started(process, controlPlane)
    }
  }

  private static func started(_ process: RouterProcess, _ controlPlane: ControlPlane) async throws
    -> Supervisor.Running
  {
    await known(try process.start().running, to: controlPlane)
  }

  /// The control plane waits for it from now on, and for nothing of it after its end.
  private static func known(_ running: Supervisor.Running, to controlPlane: ControlPlane) async -> Supervisor.Running {
    await controlPlane.routerStarted(running.identity)
    return Supervisor.Running(identity: running.identity) {
      await running.ended()
      await controlPlane.routerEnded()
    }
  }

  var pid: Int32? { get async { await supervisor.pid } }

  /// Takes the first of those that live, or starts one. Others end when it has the routes in force.
  func begin(_ living: [RouterProcess.Living]) async throws {
    guard let first = living.first, first.http != nil else {
      try await supervisor.begin()
      for other in living { await retire(Self.known(RouterProcess.adopt(other.identity), to: controlPlane)) }
      return
    }
    try await supervisor.begin(adopting: await Self.known(RouterProcess.adopt(first.identity), to: controlPlane))
    let others = living.dropFirst()
    if others.isEmpty { return }
    for other in others { await controlPlane.routerStarted(other.identity) }
    Task {
      _ = await controlPlane.routerIsReady(first.identity, within: Self.readyTime)
      for other in others { await retire(Self.known(RouterProcess.adopt(other.identity), to: controlPlane)) }
    }
  }

  /// Starts another router, and ends the present one when that has the routes in force. When it does not get there, it
  /// ends and the present one stays.
  func exchange() async throws -> RouterRestartResource {
    guard !isExchanging else {
      throw APIError(id: "conflict", message: "the router is being restarted already", next: "wait until it is done")
    }
    isExchanging = true
    defer { isExchanging = false }
    let (running, slot) = try process.start()
    let new = await Self.known(running, to: controlPlane)
    guard await isReady(new) else {
      new.identity.signal(SIGKILL)
      await new.ended()
      // The next one starts from the table of the router that stays, not from this one's.
      unlink(slot.record)
      throw APIError(
        id: "internal_server_error", message: "the new router did not get ready; the old one goes on",
        next: "look at logs/router-process.log in the data directory")
    }
    let old = await supervisor.exchange(for: new)
    logger.info(
      "router exchanged", metadata: ["old": "\(old?.identity.pid ?? 0)", "new": "\(new.identity.pid)"])
    if let old { retire(old) }
    return RouterRestartResource(old_pid: old?.identity.pid, new_pid: new.identity.pid)
  }

  /// Waits until it has the routes in force, or has ended.
  private func isReady(_ new: Supervisor.Running) async -> Bool {
    let controlPlane = controlPlane
    return await withTaskGroup(of: Bool.self) { group in
      group.addTask { await controlPlane.routerIsReady(new.identity, within: Self.readyTime) }
      group.addTask {
        while !Task.isCancelled, await !new.identity.ended(within: .milliseconds(250)) {}
        return false
      }
      defer { group.cancelAll() }
      return await group.next() ?? false
    }
  }

  /// Tells it to drain, and sees to it that it ends.
  private func retire(_ old: Supervisor.Running) {
    let identity = old.identity
    identity.signal(SIGTERM)
    leaving[identity] = Task {
      if await !identity.ended(within: Self.drainTime) {
        logger.error("router did not end when told to, killed", metadata: ["pid": "\(identity.pid)"])
        identity.signal(SIGKILL)
        _ = await identity.ended(within: .seconds(5))
      }
      await controlPlane.routerEnded()
      leaving[identity] = nil
    }
  }

  /// Ends all routers, after what is in flight.
  func stop(grace: Duration) async {
    await supervisor.stop(grace: grace)
    for task in leaving.values { await task.value }
  }

  /// Leaves them alone from now on, alive.
  func letGo() async { await supervisor.letGo() }
}
