import NIOCore

/// A worker in its loop's keeping.
struct BoundWorker: Sendable {
  let loop: any EventLoop
  let box: NIOLoopBoundBox<LoopWorker?>
}

/// Makes accepted connections ready and gives them to their loops, in the place of the bootstrap's own handler. That one
/// takes a dozen futures per connection, and closes those that are on their way between two loops when the listening
/// channel closes: clients lost by every exchange of routers.
final class Acceptor: ChannelInboundHandler {
  typealias InboundIn = any Channel

  private let workers: [BoundWorker]
  private let end: ChannelHandlerContext

  private init(_ workers: [BoundWorker], end: ChannelHandlerContext) {
    self.workers = workers
    self.end = end
  }

  /// On the loop of a listening channel that is bound, and does not read yet.
  static func put(into pipeline: ChannelPipeline, _ workers: [BoundWorker]) throws {
    let end = AcceptorEnd()
    try pipeline.syncOperations.addHandler(end, position: .last)
    let acceptor = Acceptor(workers, end: try pipeline.syncOperations.context(handler: end))
    try pipeline.syncOperations.addHandler(acceptor, position: .first)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let channel = unwrapInboundIn(data)
    let owner = workers.first { $0.loop === channel.eventLoop }
    guard let bound = owner else { return channel.close(promise: nil) }
    if bound.loop === context.eventLoop {
      Self.prepare(channel, bound.box.value)
    } else {
      bound.loop.execute { Self.prepare(channel, bound.box.value) }
    }
    // The pipeline's tail registers it: a task for its loop, after the one above.
    end.fireChannelRead(data)
  }

  /// On the connection's own loop, whose worker it is given.
  private static func prepare(_ channel: any Channel, _ worker: LoopWorker?) {
    do {
      guard let worker, let options = channel.syncOptions else { throw ChannelError.ioOnClosedChannel }
      try options.setOption(.autoRead, value: false)
      try options.setOption(.allowRemoteHalfClosure, value: true)
      try channel.pipeline.syncOperations.addHandler(ClientConnection(worker: worker))
    } catch {
      channel.close(promise: nil)
    }
  }
}

/// Marks the place behind the bootstrap's own handler.
private final class AcceptorEnd: ChannelInboundHandler {
  typealias InboundIn = any Channel
}
