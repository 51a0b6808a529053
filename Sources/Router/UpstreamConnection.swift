import Glibc
import NIOCore

/// One connection to an instance: serves one exchange at a time, or rests in the pool.
final class UpstreamConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  let upstream: LoopUpstream
  private let worker: LoopWorker
  private var context: ChannelHandlerContext?
  private var exchange: Exchange?
  private var inbox = ByteBuffer()
  var headEnd = HeadEnd()
  private(set) var inputEnded = false
  /// It has served a request before: the instance may have closed it in the meantime.
  private(set) var isReused = false
  private(set) var idleSince = NIODeadline.distantPast
  private var isClosing = false
  /// A read was asked for, and nothing has come since.
  private var isReading = false

  init(_ upstream: LoopUpstream, worker: LoopWorker) {
    self.upstream = upstream
    self.worker = worker
  }

  var isUsable: Bool { !isClosing && !inputEnded && context != nil }
  /// Less than the water mark waits to be written. Kept here: asking the channel costs more than the answer.
  private(set) var isWritable = true

  // MARK: for the exchange

  func attach(_ exchange: Exchange) {
    self.exchange = exchange
    headEnd.reset()
  }

  func detach() { exchange = nil }

  var sent: SentBytes { SentBytes(context?.channel) }

  func write(_ buffer: ByteBuffer) { context?.write(wrapOutboundOut(buffer), promise: nil) }
  func flush() { context?.flush() }

  func read() {
    guard !isReading, !inputEnded else { return }
    isReading = true
    context?.read()
  }

  func endOutput() { context?.close(mode: .output, promise: nil) }

  func close() {
    exchange = nil
    isClosing = true
    context?.close(promise: nil)
  }

  /// Nothing is under way on it: a reset leaves no port behind in TIME_WAIT.
  func closeUnused() {
    _ = (context?.channel as? any SocketOptionProvider)?.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
    close()
  }

  func closeAfterFlush() {
    exchange = nil
    isClosing = true
    guard let context else { return }
    let flushed = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    flushed.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.context?.close(promise: nil) }
    // An instance that does not read must not keep it.
    worker.loop.assumeIsolated().scheduleTask(in: worker.times.idle) { [weak self] in
      self?.context?.close(promise: nil)
    }
  }

  /// In the pool from now on. One read stays open: an end, or bytes nobody asked for, close it.
  func rest() {
    exchange = nil
    isReused = true
    idleSince = worker.now
    read()
  }

  // MARK: from the channel

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    isReading = false
    worker.tick()
    guard let exchange, !isClosing else {
      isClosing = true
      return context.close(promise: nil)
    }
    if exchange.isTunnel { return exchange.tunnelBytes(buffer, fromClient: false) }
    if inbox.readableBytes > 0 {
      inbox.writeBuffer(&buffer)
      buffer = inbox
      inbox = ByteBuffer()
    }
    // When this returns, this connection may serve the next exchange already.
    exchange.received(&buffer)
    if buffer.readableBytes > 0, !isClosing { inbox = buffer }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if let exchange { exchange.receivedAll() } else if !isClosing { read() }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    isWritable = context.channel.isWritable
    if isWritable { exchange?.upstreamWritable() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
    inputEnded = true
    worker.tick()
    guard let exchange else { return context.close(promise: nil) }
    if exchange.isTunnel { exchange.tunnelEnded(fromClient: false) } else { exchange.upstreamEnded(isClean: true) }
  }

  func channelInactive(context: ChannelHandlerContext) {
    isClosing = true
    isWritable = false
    upstream.forget(self)
    let last = exchange
    exchange = nil
    worker.tick()
    last?.upstreamEnded(isClean: false)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
