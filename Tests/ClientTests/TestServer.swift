import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Wire

/// A small HTTP server on a unix socket, whose answers are the fixed routes of ``TestRoutes``.
final class TestServer: Sendable {
  let path: String
  private let channel: any Channel

  init() async throws {
    path = "/tmp/paas-client-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(TestRoutes())
        }
      }
      .bind(unixDomainSocketPath: path).get()
  }

  func stop() async throws {
    try await channel.close()
    unlink(path)
  }
}

/// `/json` answers the request's head; `/echo` sends the body back as it comes; `/missing` refuses; `/records` streams;
/// `/refuse-upload` answers before the body has come; `/cut` closes in the middle of a body; `/silent` never answers.
private final class TestRoutes: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart
  private var path = ""

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      path = head.uri
      if path == "/echo" { respond(context, .ok) }
      if path == "/refuse-upload" { finish(context, .forbidden, #"{"id":"forbidden","message":"no"}"#) }
      if path.hasPrefix("/json") {
        let token = head.headers.first(name: "authorization") ?? ""
        let wire = head.headers.first(name: "paas-wire") ?? ""
        finish(
          context, .ok, #"{"method":"\#(head.method)","uri":"\#(head.uri)","token":"\#(token)","wire":"\#(wire)"}"#)
      }
    case .body(let bytes):
      if path == "/echo" { context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil) }
    case .end: end(context)
    }
  }

  private func end(_ context: ChannelHandlerContext) {
    switch path {
    case "/echo": context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    case "/missing":
      finish(context, .notFound, #"{"id":"not_found","message":"app 'x' does not exist","next":"`paas apps` lists"}"#)
    case "/broken": finish(context, .badGateway, "<html>")
    case "/other-wire": finish(context, .ok, "{}", wire: "99")
    case "/records":
      let records = [
        StreamRecord(.stdout, Array("hi".utf8)), StreamRecord(.keepAlive), .exit(3), StreamRecord(.stdout),
      ]
      respond(context, .ok)
      // One byte at a time: records must be put together again.
      for byte in records.flatMap(\.encoded) { write(context, [byte]) }
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    case "/cut":
      respond(context, .ok)
      write(context, [1])
      context.close(promise: nil)
    default: break
    }
  }

  private func respond(_ context: ChannelHandlerContext, _ status: HTTPResponseStatus, wire: String = "1") {
    let head = HTTPResponseHead(version: .http1_1, status: status, headers: ["Paas-Wire": wire])
    context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
  }

  private func write(_ context: ChannelHandlerContext, _ bytes: [UInt8]) {
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
  }

  private func finish(
    _ context: ChannelHandlerContext, _ status: HTTPResponseStatus, _ text: String, wire: String = "1"
  ) {
    respond(context, status, wire: wire)
    write(context, Array(text.utf8))
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
