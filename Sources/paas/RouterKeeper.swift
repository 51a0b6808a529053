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
  /// Routers of an earlier server that end when another has the routes in force.
  private var spare: [ProcessIdentity] = []
  private var exchanging: Task<RouterRestartResource, any Error>?
  /// The new router of an exchange, before it is the supervisor's.
  private var candidate: ProcessIdentity?
  private var isStopping = false

  /// How long a new router may take to have the routes in force.
  private static let readyTime = Duration.seconds(60)

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
      let status = await running.ended()
      await controlPlane.routerEnded()
      return status
    }
  }

  /// Who serves; `nil` between the end of one and the start of the next.
  var identity: ProcessIdentity? { get async { await supervisor.identity } }

  /// Takes the first of those that live, or starts one. Others end when it has the routes in force.
  func begin(_ living: [RouterProcess.Living]) async throws {
    guard let first = living.first, first.http != nil else {
      try await supervisor.begin()
      for other in living { await retire(Self.known(RouterProcess.adopt(other.identity), to: controlPlane)) }
      return
    }
    try await supervisor.begin(adopting: await Self.known(RouterProcess.adopt(first.identity), to: controlPlane))
    spare = living.dropFirst().map(\.identity)
    if spare.isEmpty { return }
    for other in spare { await controlPlane.routerStarted(other) }
    Task {
      _ = await controlPlane.routerIsReady(first.identity, within: Self.readyTime)
      retireSpare()
    }
  }

  private func retireSpare() {
    for other in spare { retire(RouterProcess.adopt(other)) }
    spare = []
  }

  /// Starts another router, and ends the present one when that has the routes in force. When it does not get there, it
  /// ends and the present one stays.
  func exchange() async throws -> RouterRestartResource {
    guard exchanging == nil else {
      throw APIError(id: "conflict", message: "the router is being restarted already", next: "wait until it is done")
    }
    let task = Task { try await exchangeNow() }
    exchanging = task
    defer { exchanging = nil }
    return try await task.value
  }

  private func exchangeNow() async throws -> RouterRestartResource {
    guard !isStopping else { throw Self.stopping }
    let (running, slot) = try startAnother()
    candidate = running.identity
    defer { candidate = nil }
    let new = await Self.known(running, to: controlPlane)
    let isReady = await isReady(new)
    guard !isStopping else {
      discard(new)
      throw Self.stopping
    }
    guard isReady else { throw await failed(new, slot) }
    guard case .done(let old) = await supervisor.exchange(for: new) else {
      discard(new)
      throw Self.stopping
    }
    logger.info(
      "router exchanged", metadata: ["old": "\(old?.identity.pid ?? 0)", "new": "\(new.identity.pid)"])
    if let old { retire(old) }
    return RouterRestartResource(old_pid: old?.identity.pid, new_pid: new.identity.pid)
  }

  /// Ends one that never became the supervisor's, which would have waited for its end.
  private func discard(_ new: Supervisor.Running) {
    Task { _ = await new.ended() }
    retire(new)
  }

  private static let stopping = APIError(id: "conflict", message: "the server is stopping")

  private func startAnother() throws -> (running: Supervisor.Running, slot: RouterSlot) {
    do {
      return try process.start()
    } catch let error as StartError {
      throw APIError(id: "conflict", message: error.message, next: error.nextStep)
    }
  }

  private func failed(_ new: Supervisor.Running, _ slot: RouterSlot) async -> APIError {
    let hadEnded = !new.identity.isAlive
    new.identity.signal(SIGKILL)
    let status = await new.ended()
    // The next one starts from the table of the router that stays, not from this one's.
    unlink(slot.record)
    let end = hadEnded ? "ended with status \(status.map(String.init) ?? "unknown")" : "had no routes in time, killed"
    logger.error("new router did not get ready", metadata: ["pid": "\(new.identity.pid)", "end": "\(end)"])
    return APIError(
      id: "internal_server_error", message: "the new router did not get ready (\(end)); the old one goes on",
      next: "look at logs/router-process.log in the data directory")
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
    let limit = RouterProcess.endTime(of: identity, in: process.data)
    identity.signal(SIGTERM)
    leaving[identity] = Task {
      if await !identity.ended(within: limit) {
        logger.error("router did not end when told to, killed", metadata: ["pid": "\(identity.pid)"])
        identity.signal(SIGKILL)
        _ = await identity.ended(within: .seconds(5))
      }
      await controlPlane.routerEnded()
      leaving[identity] = nil
    }
  }

  /// Ends all routers, after what is in flight; one that is being exchanged for another, and that other, too.
  func stop() async {
    isStopping = true
    candidate?.signal(SIGTERM)
    retireSpare()
    _ = await exchanging?.result
    await supervisor.stop(grace: RouterProcess.endTime(of: await supervisor.identity, in: process.data))
    for task in leaving.values { await task.value }
  }

  /// Leaves them alone from now on, alive.
  func letGo() async {
    isStopping = true
    await supervisor.letGo()
  }
}
