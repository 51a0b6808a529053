import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Serves one door on a socket that listens already. Hummingbird's own server makes its sockets itself, and cannot
/// refuse a peer before the first byte; its HTTP channel and router are all we take.
struct DoorServer: Sendable {
  let door: Door
  let rule: PeerRule
  let responder: RouterResponder<APIContext>
  let logger: Logger

  /// Accepts until cancelled.
  func serve(_ socket: ListeningSocket) async throws {
    // Hummingbird's own idle timeout would also end a `run` whose user does not type.
    let http = HTTP1Channel(
      responder: respond,
      configuration: .init(additionalChannelHandlers: door == .tcp ? [HeadDeadline(Self.headTime)] : []))
    let connections = OpenConnections(limit: door == .tcp ? Self.tcpConnections : .max)
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptErrors(door: door, logger: logger))
        }
      }
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .bind(socket.descriptor) { channel in
        // NIO drops a connection whose set-up fails, but leaves it open.
        admit(channel, to: connections).flatMap { http.setup(channel: channel, logger: logger) }
          .flatMapErrorThrowing { error in
            channel.close(promise: nil)
            throw error
          }
      }
    try await server.executeThenClose { accepted in
      try await withThrowingDiscardingTaskGroup { group in
        for try await connection in accepted {
          group.addTask { await http.handle(value: connection, logger: logger) }
        }
        group.cancelAll()
      }
    }
  }

  /// For a request's head, from the connection or the response before it. A network's peers only.
  private static let headTime = TimeAmount.seconds(60)
  private static let tcpConnections = 512

  /// Fails for a peer that this door is not for, and for one too many.
  private func admit(_ channel: any Channel, to connections: OpenConnections) -> EventLoopFuture<Void> {
    guard connections.open() else {
      logger.warning("too many connections: one refused", metadata: ["door": "\(door.rawValue)"])
      return channel.eventLoop.makeFailedFuture(PeerRefused())
    }
    channel.closeFuture.whenComplete { _ in connections.close() }
    guard rule != .anyone else { return channel.eventLoop.makeSucceededVoidFuture() }
    guard let options = channel as? any SocketOptionProvider else {
      return channel.eventLoop.makeFailedFuture(PeerRefused())
    }
    return credentials(of: options).flatMapThrowing { peer in
      guard rule.admits(uid: peer.uid) else {
        logger.warning(
          "peer refused", metadata: ["door": "\(door.rawValue)", "uid": "\(peer.uid)", "pid": "\(peer.pid)"])
        throw PeerRefused()
      }
    }
  }

  private func credentials(of options: any SocketOptionProvider) -> EventLoopFuture<PeerCredentials> {
    options.unsafeGetSocketOption(level: .socket, name: .so_peercred)
  }

  private func respond(_ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
    var context = APIContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
    if door == .router, let options = channel as? any SocketOptionProvider {
      context.peer = try await credentials(of: options).get().pid
    }
    let response = try await responder.respond(to: request, context: context)
    try await writer.write(response: response.head, body: response.body)
  }
}

/// Keeps a door open when a connection cannot be accepted, for example for want of descriptors; NIO's async server
/// channel would end with the first such error.
private final class AcceptErrors: ChannelInboundHandler, Sendable {
  typealias InboundIn = any Channel
  private let door: Door
  private let logger: Logger

  init(door: Door, logger: Logger) {
    self.door = door
    self.logger = logger
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    logger.error("cannot accept", metadata: ["door": "\(door.rawValue)", "error": "\(error)"])
  }
}

/// `struct ucred` of unix(7).
private struct PeerCredentials: Sendable {
  var pid: Int32
  var uid: UInt32
  var gid: UInt32
}

private struct PeerRefused: Error {}

extension NIOBSDSocket.Option {
  /// `SO_PEERCRED` of asm-generic/socket.h, which Glibc's module does not show.
  fileprivate static let so_peercred = NIOBSDSocket.Option(rawValue: 17)
}
