public import ControlPlane
import Glibc
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
public import Platform
import ServiceLifecycle
public import Wire

/// Where and for whom the API is served.
public struct APIConfiguration: Sendable {
  /// Holds the three sockets. Exists, and belongs to the server.
  public var runDirectory: String
  /// Numeric host; port 0 picks one.
  public var api: Address
  public var receiverUID: UInt32
  public var routerUID: UInt32
  /// Of the group `paas`, whose members are admins; `nil` where there is none.
  public var adminGroup: UInt32?

  public init(runDirectory: String, api: Address, receiverUID: UInt32, routerUID: UInt32, adminGroup: UInt32? = nil) {
    self.runDirectory = runDirectory
    self.api = api
    self.receiverUID = receiverUID
    self.routerUID = routerUID
    self.adminGroup = adminGroup
  }
}

/// The pids of the two roles, as far as they run; for `GET /platform`.
public typealias RolePIDs = @Sendable () async -> (receiver: Int32?, router: Int32?)

/// Puts another router in the place of the one that serves; returns when it serves.
public typealias RouterRestart = @Sendable () async throws -> RouterRestartResource

/// The HTTP API behind its four doors. Two steps, because the control plane wants to know the address before it can
/// be made: ``init(_:)`` listens (clients wait from then on), ``run(_:pids:logger:)`` serves.
public struct APIServers: Sendable {
  /// As clients dial it, with the port that is really bound.
  public let apiAddress: Address
  private let doors: [(Door, ListeningSocket, PeerRule)]

  /// Listens on `control.sock`, `receiver.sock`, `router.sock` and the TCP address. Throws ``APIStartError``.
  public init(_ configuration: APIConfiguration) throws(APIStartError) {
    let directory = configuration.runDirectory
    let own = getuid()
    let tcp = try ListeningSocket.tcp(configuration.api, option: "--api")
    apiAddress = tcp.address ?? configuration.api
    // Only root may give a socket away; elsewhere all roles have the server's own uid.
    func owner(_ uid: UInt32) -> UInt32? { own == 0 ? uid : nil }
    let control = try ListeningSocket.unix(
      "\(directory)/control.sock", mode: configuration.adminGroup == nil ? 0o600 : 0o660,
      group: configuration.adminGroup)
    let receiver = try ListeningSocket.unix(
      "\(directory)/receiver.sock", mode: 0o660, owner: owner(configuration.receiverUID))
    let router = try ListeningSocket.unix(
      "\(directory)/router.sock", mode: 0o660, owner: owner(configuration.routerUID))
    doors = [
      (.tcp, tcp, .anyone),
      (.control, control, .owner(uid: own, group: configuration.adminGroup != nil)),
      (.receiver, receiver, .only(uid: configuration.receiverUID)),
      (.router, router, .only(uid: configuration.routerUID)),
    ]
  }

  /// Serves until the task is cancelled or the process shuts down gracefully. Call it once.
  public func run(
    _ controlPlane: ControlPlane, pids: @escaping RolePIDs,
    restartRouter: @escaping RouterRestart = APIServers.noRouter, logger: Logger
  ) async throws {
    try await cancelWhenGracefulShutdown {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (door, socket, rule) in doors {
          let routes = APIRoutes(door: door, controlPlane: controlPlane, pids: pids, restartRouter: restartRouter)
          let responder = routes.responder()
          let server = DoorServer(door: door, rule: rule, responder: responder, logger: logger)
          group.addTask { try await server.serve(socket) }
        }
        try await group.waitForAll()
      }
    }
  }
}

extension APIServers {
  /// For an API without a router of its own.
  public static let noRouter: RouterRestart = {
    throw APIError(id: "not_implemented", message: "there is no router to restart here")
  }
}
