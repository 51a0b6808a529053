import CLinux
import Glibc
import Linux
import Platform
import Wire

/// Starts `paas router`, or finds those that outlived the last server.
struct RouterProcess: Sendable {
  let data: DataDirectory
  let users: RoleUsers
  let environment: [String: String]
  let http: Listening
  let settings: RouterSettings

  /// Who serves, where and how; kept in the slot so that a new server can find it.
  struct Record: Codable, Sendable {
    /// `nil` until it is started.
    var identity: ProcessIdentity?
    var http: Address
    /// ``RouterSettings/fingerprint``; `nil` from a server that knew none.
    var settings: String?
    /// ``RouterSettings/drainSeconds`` of this router, which another server may have started; `nil` from a server of
    /// which all routers had the default.
    var drainSeconds: Int?

    /// From SIGTERM to its end, at most: its own draining, and some time beyond.
    var endTime: Duration { .seconds(min(max(drainSeconds ?? 30, 0), 86_400) + 15) }
  }

  /// A router that lives.
  struct Living: Sendable {
    var slot: RouterSlot
    var record: Record
    var identity: ProcessIdentity
    /// A copy of its listening socket; `nil` from one that hands none over: it is ending.
    var http: Int32?
  }

  /// Starts one in a free slot. Whoever is killed in between leaves a router that a later server finds: the record is
  /// there before it, and its life is a lock that it holds.
  func start() throws -> (running: Supervisor.Running, slot: RouterSlot) {
    let last = lastSlot
    let (slot, life) = try takeSlot(after: last)
    defer { close(life) }
    var record = Record(
      identity: nil, http: http.address, settings: settings.fingerprint, drainSeconds: settings.drainSeconds)
    try Files.writeDurably(try Wire.encode(record), to: slot.record)
    let log = try checked("open the router's log") {
      open(data.path + "/logs/router-process.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }
    defer { close(log) }
    let handover = try Listening.unix(slot.handover)
    defer { close(handover) }
    var request = ChildRequest(
      path: nil, arguments: arguments(slot, after: last), environment: environment, directory: "/",
      descriptors: [2: log, 3: http.descriptor, 4: handover, 5: life])
    if users.separate { request.user = (users.router.uid, users.router.gid) }
    Checkpoint.reach("router.before-start")
    let child = try Child.spawn(request)
    Checkpoint.reach("router.after-start")
    let identity = ProcessIdentity(pid: child.pid) ?? ProcessIdentity(pid: child.pid, startTime: 0)
    do {
      record.identity = identity
      try Files.writeDurably(try Wire.encode(record), to: slot.record)
    } catch {
      child.signal(SIGKILL)
      Task { await child.exitStatus() }
      throw error
    }
    return (Supervisor.Running(identity: identity) { await child.exitStatus() }, slot)
  }

  private func arguments(_ slot: RouterSlot, after last: RouterSlot?) -> [String] {
    var words = [
      "router", "--socket", data.routerSocket, "--table-file", slot.table, "--listen-fd", "3", "--handover-fd", "4",
      "--life-fd", "5", "--server-uid", "\(geteuid())",
    ]
    if let last, last != slot { words += ["--table-from", last.table] }
    if !settings.trustedProxies.isEmpty {
      words += ["--trusted-proxies", settings.trustedProxies.joined(separator: ",")]
    }
    if settings.acceptsProxyProtocol { words.append("--proxy-protocol") }
    return words
  }

  /// The slot of the last router first: one that was killed starts again from its own table.
  private func takeSlot(after last: RouterSlot?) throws -> (RouterSlot, Int32) {
    let slots = RouterSlot.all(in: data)
    for slot in slots.filter({ $0 == last }) + slots.filter({ $0 != last }) {
      if let life = try slot.take() { return (slot, life) }
    }
    throw StartError("\(RouterSlot.count) routers are alive", next: "wait until the old ones have drained")
  }

  /// The slot of the router that was started last, by its record, which only servers write: an older one that drains
  /// may write its table later.
  private var lastSlot: RouterSlot? {
    RouterSlot.all(in: data).compactMap { slot -> (slot: RouterSlot, at: (Int, Int))? in
      FileStamp(slot.record).map { (slot, ($0.seconds, $0.nanoseconds)) }
    }.max { $0.at < $1.at }?.slot
  }

  /// The routers of earlier servers of this directory, the one to keep first: those that still accept, of these the
  /// ones that run as this server would run them, of these the youngest.
  static func living(in data: DataDirectory, users: RoleUsers, settings: RouterSettings) -> [Living] {
    let found = RouterSlot.all(in: data).compactMap { slot -> Living? in
      guard let identity = slot.router(ownedBy: users.separate ? users.router.uid : geteuid()),
        let record = slot.readRecord()
      else { return nil }
      return Living(slot: slot, record: record, identity: identity, http: handedOver(by: slot.handover))
    }
    func rank(_ living: Living) -> (Int, Int, UInt64) {
      (living.http == nil ? 0 : 1, living.record.settings == settings.fingerprint ? 1 : 0, living.identity.startTime)
    }
    return found.sorted { rank($0) > rank($1) }
  }

  /// How long this router may take to end after SIGTERM, by its own record; without one the longest of all.
  static func endTime(of router: ProcessIdentity?, in data: DataDirectory) -> Duration {
    let records = RouterSlot.all(in: data).compactMap { $0.readRecord() }
    let known = router.flatMap { router in records.first { $0.identity == router } }
    return known?.endTime ?? records.map(\.endTime).max() ?? .seconds(45)
  }

  /// Asks until the router answers: one that was just started takes a moment to serve.
  private static func handedOver(by socket: String) -> Int32? {
    guard let connection = Listening.connectUnix(socket) else { return nil }
    defer { close(connection) }
    limitReceiving(from: connection, seconds: 5)
    var descriptors = [Int32](repeating: -1, count: 8)
    guard paas_receive_fds(connection, &descriptors, descriptors.count) >= 1 else { return nil }
    for extra in descriptors.dropFirst() where extra >= 0 { close(extra) }
    return descriptors[0]
  }

  /// A router that we did not start: it is watched by pid and start time, as it is not our child.
  static func adopt(_ identity: ProcessIdentity) -> Supervisor.Running {
    Supervisor.Running(identity: identity) {
      while await !identity.ended(within: .seconds(3600)) {}
      return nil
    }
  }
}
