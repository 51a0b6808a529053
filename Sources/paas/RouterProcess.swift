import CLinux
import Glibc
import Linux
import Platform
import Wire

/// Starts `paas router`, or finds the one that outlived the last server.
struct RouterProcess: Sendable {
  let data: DataDirectory
  let users: RoleUsers
  let environment: [String: String]
  let http: Listening

  /// Who serves, and where; kept in run/router.json so that a new server can find it.
  struct Record: Codable, Sendable {
    var identity: ProcessIdentity
    var http: Address
  }

  func start() throws -> Supervisor.Running {
    let log = try checked("open the router's log") {
      open(data.path + "/logs/router-process.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }
    defer { close(log) }
    let handover = try Listening.unix(data.handoverSocket)
    defer { close(handover) }
    var request = ChildRequest(
      path: nil,
      arguments: [
        "router", "--socket", data.routerSocket, "--table-file", data.routerTable, "--listen-fd", "3",
        "--handover-fd", "4", "--server-uid", "\(geteuid())",
      ], environment: environment, directory: "/", descriptors: [2: log, 3: http.descriptor, 4: handover])
    if users.separate { request.user = (users.router.uid, users.router.gid) }
    let child = try Child.spawn(request)
    let identity = ProcessIdentity(pid: child.pid) ?? ProcessIdentity(pid: child.pid, startTime: 0)
    do {
      let record = Record(identity: identity, http: http.address)
      try Files.writeDurably(try Wire.encode(record), to: data.routerRecord)
    } catch {
      // A router that no later server can find must not live on.
      child.signal(SIGKILL)
      Task { await child.exitStatus() }
      throw error
    }
    return Supervisor.Running(identity: identity) { _ = await child.exitStatus() }
  }

  /// The router of an earlier server of this directory, with a copy of its listening socket; `nil` when none lives.
  /// One that lives and does not hand its socket over is told to end.
  static func living(in data: DataDirectory) -> (record: Record, http: Int32)? {
    guard let record = record(in: data), record.identity.isAlive else { return nil }
    guard let http = handedOver(by: data.handoverSocket) else {
      record.identity.signal(SIGTERM)
      return nil
    }
    return (record, http)
  }

  private static func handedOver(by socket: String) -> Int32? {
    guard let connection = Listening.connectUnix(socket) else { return nil }
    defer { close(connection) }
    var limit = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var descriptors = [Int32](repeating: -1, count: 8)
    guard paas_receive_fds(connection, &descriptors, descriptors.count) >= 1 else { return nil }
    for extra in descriptors.dropFirst() where extra >= 0 { close(extra) }
    return descriptors[0]
  }

  static func record(in data: DataDirectory) -> Record? {
    guard let bytes = try? Files.read(data.routerRecord, limit: 4096) else { return nil }  // no record: no router
    return try? Wire.decode(Record.self, from: .init(bytes))
  }

  /// A router that we did not start: it is watched by pid and start time, as it is not our child.
  static func adopt(_ record: Record) -> Supervisor.Running {
    Supervisor.Running(identity: record.identity) {
      while await !record.identity.ended(within: .seconds(3600)) {}
    }
  }
}
