import NIOCore
import NIOHTTP1

/// Two sockets that became one after `101 Switching Protocols`: bytes both ways with back-pressure, each direction
/// ended on its own, until both have ended or nothing has moved for a while.
final class Tunnel {
  private let countdown: Countdown
  private var ended: ((_ bytes: Int) -> Void)?
  private var bytes = 0
  private(set) lazy var client = TunnelSide(self)
  private(set) lazy var upstream = TunnelSide(self)

  /// `ended` is called once, with the bytes that went to the client.
  init(on loop: any EventLoop, idle: Duration, ended: @escaping (_ bytes: Int) -> Void) {
    countdown = Countdown(on: loop)
    self.ended = ended
    client.partner = upstream
    upstream.partner = client
    countdown.start(idle) { [weak self] in self?.close() }
  }

  func moved(_ count: Int, by side: TunnelSide) {
    countdown.touch()
    if side === upstream { bytes += count }
  }

  func close() {
    countdown.cancel()
    client.close()
    upstream.close()
    ended?(bytes)
    ended = nil
  }
}

/// One end of a ``Tunnel``.
final class TunnelSide: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var tunnel: Tunnel?
  fileprivate weak var partner: TunnelSide?
  private var context: ChannelHandlerContext?
  private var inputEnded = false
  /// The HTTP handlers are gone. The decoder leaves a turn later, and would take bytes on their way out for HTTP.
  private var isReady = false
  private var waiting: [ByteBuffer] = []
  private var endsOutput = false

  init(_ tunnel: Tunnel) { self.tunnel = tunnel }

  /// Takes the HTTP handlers out. Bytes that the decoder holds come to the new handler, on the next turn of the loop.
  static func replace(
    _ old: some RemovableChannelHandler, encoder: some RemovableChannelHandler, decoder: some RemovableChannelHandler,
    with side: TunnelSide, in channel: any Channel
  ) throws {
    let pipeline = channel.pipeline.syncOperations
    try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
    try pipeline.addHandler(side, position: .last)
    pipeline.removeHandler(old, promise: nil)
    pipeline.removeHandler(encoder, promise: nil)
    pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in side.ready() }
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    tunnel = nil
  }

  func read() { context?.read() }

  func close() { context?.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    tunnel?.moved(buffer.readableBytes, by: self)
    partner?.write(buffer)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    partner?.context?.flush()
    if partner?.context?.channel.isWritable == true { context.read() }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { partner?.context?.read() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
    inputEnded = true
    if partner?.inputEnded == true {
      closeAfterFlush()
    } else {
      partner?.endOutput()
    }
  }

  func channelInactive(context: ChannelHandlerContext) { tunnel?.close() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func write(_ buffer: ByteBuffer) {
    guard isReady else { return waiting.append(buffer) }
    // The decoder hands over what it held outside of a read, so nobody else would flush it.
    context?.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
  }

  private func endOutput() {
    endsOutput = true
    if isReady { context?.close(mode: .output, promise: nil) }
  }

  private func ready() {
    isReady = true
    for buffer in waiting { write(buffer) }
    waiting = []
    if endsOutput { endOutput() }
  }

  /// The last bytes to the partner still have to leave.
  private func closeAfterFlush() {
    guard let tunnel, let last = partner?.context else { return }
    let empty = last.channel.allocator.buffer(capacity: 0)
    last.writeAndFlush(partner?.wrapOutboundOut(empty) ?? wrapOutboundOut(empty)).assumeIsolated().whenComplete { _ in
      tunnel.close()
    }
  }
}
