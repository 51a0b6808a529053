import Glibc
import NIOCore

/// One client's connection: one request after the other, each an ``Exchange``. Reads only when somebody takes the
/// bytes; what NIO delivers beyond that waits in the inbox.
final class ClientConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  enum State {
    /// A PROXY header must come first.
    case introduction
    /// Between requests.
    case idle
    case exchanging
    /// The last answer is on its way; what the client still sends is thrown away, so that no reset overtakes it.
    case lingering
    /// Bytes go to and from an instance as they are.
    case tunnelling
    case closed
  }

  let worker: LoopWorker
  var context: ChannelHandlerContext?
  var state = State.idle
  var exchange: Exchange?
  var inbox = ByteBuffer()
  var headEnd = HeadEnd()
  /// The client will send nothing more.
  var inputEnded = false
  private var isPumping = false
  /// A read was asked for, and nothing has come since.
  private var isReading = false
  private(set) var origin = RequestOrigin(address: [], port: 0)
  /// Of the socket's peer.
  private var address = IPAddress(high: 0, low: 0)
  private var isCounted = false
  /// It has never asked.
  private(set) var isNew = true
  /// ``settle()`` was done.
  private var isSettled = false
  /// Where the worker keeps it.
  var index = 0

  /// When ``due`` happens. Looked at a few times a second; moving it costs nothing.
  var deadline = NIODeadline.distantFuture
  var due = Due.cut

  /// For ``isSending()``.
  var sending = SendWatch()
  /// Until when a client that goes on sending is listened to after its answer.
  private var patienceEnds = NIODeadline.distantFuture

  enum Due {
    case cut
    case slowHead
    case firstByte
    case idle
    case slowBody
  }

  init(worker: LoopWorker) { self.worker = worker }

  // MARK: for the exchange

  /// Less than the water mark waits to be written. Kept here: asking the channel costs more than the answer.
  private(set) var isWritable = true

  func write(_ buffer: ByteBuffer) { context?.write(wrapOutboundOut(buffer), promise: nil) }
  func flush() { context?.flush() }
  func send(_ buffer: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(buffer), promise: nil) }

  func expect(_ due: Due, _ amount: TimeAmount) {
    self.due = due
    sending.reset()
    deadline = worker.now + amount
  }

  /// The response has been written whole. `isLast`: the client has said that it sends nothing more.
  func exchangeEnded(close: Bool, isLast: Bool = false) {
    guard case .exchanging = state else { return }
    exchange = nil
    if close, isLast, inbox.readableBytes == 0 { return finish() }
    if close || (inputEnded && inbox.readableBytes == 0) { return linger() }
    state = .idle
    headEnd.reset()
    if !isSettled { settle() }
    expect(.cut, worker.isDraining ? worker.times.farewell : worker.times.keepAlive)
    if isPumping { return }
    if inbox.readableBytes > 0 { pump() }
    readIfWanted()
  }

  /// A connection that is kept gets buffers of our sizes; for one that asks once they would cost more than they bring.
  private func settle() {
    isSettled = true
    guard let options = context?.channel.syncOptions else { return }
    do {
      try options.setOption(.maxMessagesPerRead, value: 1)
      try options.setOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator.requests)
      try options.setOption(.writeBufferWaterMark, value: .bodies)
    } catch {
      cut()  // it is closed already
    }
  }

  /// The response cannot be completed, and must not look complete. `reset`: the client waits for the connection's end,
  /// so only a reset tells it.
  func abort(reset: Bool) {
    exchange = nil
    guard let context, !isClosed else { return }
    state = .closed
    if reset {
      _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
    } else {
      context.flush()
    }
    context.close(promise: nil)
  }

  var isClosed: Bool { if case .closed = state { true } else { false } }

  /// Ends the connection after what was written, without a reset that could overtake it: our half is closed, and what
  /// the client still sends is read and dropped for a while (RFC 9112 section 9.6).
  func linger() {
    guard let context else { return }
    state = .lingering
    inbox = ByteBuffer()
    expect(.cut, worker.times.idle)
    if inputEnded { return closeAfterFlush() }
    let flushed = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    flushed.futureResult.assumeIsolated().whenComplete { [weak self] _ in
      guard let self, case .lingering = self.state, let context = self.context else { return }
      context.close(mode: .output, promise: nil)
      self.expect(.cut, self.worker.times.linger)
      self.patienceEnds = self.worker.now + .nanoseconds(self.worker.times.linger.nanoseconds * 6)
      self.read()
    }
    read()
  }

  /// Ends the connection of a client that is done.
  private func finish() {
    state = .lingering
    expect(.cut, worker.times.idle)
    let waiting = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)  // unknown: as if some did
    if waiting == 0 { context?.close(promise: nil) } else { closeAfterFlush() }
  }

  func closeAfterFlush() {
    guard let context else { return }
    let flushed = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
    flushed.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.context?.close(promise: nil) }
  }

  // MARK: from the channel

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelActive(context: ChannelHandlerContext) {
    // The channel knows both addresses; the context would ask the kernel again.
    let channel = context.channel
    let peer = channel.remoteAddress
    address = peer.flatMap(IPAddress.init) ?? address
    worker.opened(self)
    isCounted = worker.shared.connections.enter(address)
    guard isCounted else { return context.close(promise: nil) }
    let isTrusted = worker.shared.isTrusted(address)
    origin = RequestOrigin(
      address: address.isIPv4 ? address.fourText : Array((peer?.ipAddress ?? "").utf8),
      port: channel.localAddress?.port ?? 0, isTrusted: isTrusted)
    if worker.shared.acceptsProxyProtocol {
      guard isTrusted || worker.shared.trusted.isEmpty else { return context.close(promise: nil) }
      state = .introduction
    }
    let first = worker.isDraining ? patience : worker.times.keepAlive
    expect(.cut, worker.shared.acceptsProxyProtocol ? min(first, worker.times.head) : first)
    read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    isReading = false
    worker.tick()
    switch state {
    case .lingering:
      // Who reads only when all is sent gets the answer then.
      if patienceEnds < .distantFuture { deadline = min(worker.now + worker.times.linger, patienceEnds) }
    case .closed: return
    case .tunnelling: exchange?.tunnelBytes(buffer, fromClient: true)
    default:
      if inbox.readableBytes == 0 { inbox = buffer } else { inbox.writeBuffer(&buffer) }
      buffer = ByteBuffer()
      pump()
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    exchange?.flushUpstream()
    readIfWanted()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    isWritable = context.channel.isWritable
    guard isWritable else { return }
    exchange?.clientWritable()
    guard case .idle = state else { return }
    if inputEnded { return endOfInput() }
    pump()
    readIfWanted()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
    inputEnded = true
    switch state {
    case .idle: endOfInput()
    case .introduction: context.close(promise: nil)
    case .lingering: closeAfterFlush()
    case .tunnelling: exchange?.tunnelEnded(fromClient: true)
    case .exchanging: if let exchange, !exchange.requestEnded { pump() }
    case .closed: break
    }
  }

  /// Between requests, and no further one will come but those that are here already. The last answer may still be on its
  /// way.
  private func endOfInput() {
    pump()
    guard case .idle = state, isWritable else { return }
    state = .lingering
    inbox = ByteBuffer()
    expect(.cut, worker.times.idle)
    closeAfterFlush()
  }

  func channelInactive(context: ChannelHandlerContext) {
    state = .closed
    isWritable = false
    deadline = .distantFuture
    inbox = ByteBuffer()
    worker.closed(self)
    if isCounted { worker.shared.connections.leave(address) }
    isCounted = false
    let last = exchange
    exchange = nil
    last?.clientGone()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  // MARK: inside

  private func read() {
    guard !isReading, !inputEnded else { return }
    isReading = true
    context?.read()
  }

  /// Hands what the client has sent to whoever takes it.
  func pump() {
    if isPumping { return }
    isPumping = true
    while advance() {}
    isPumping = false
    if inbox.readableBytes == 0 { inbox = ByteBuffer() }
    if case .exchanging = state, inputEnded, let exchange, !exchange.requestEnded, exchange.acceptsBody {
      // What was announced will not come.
      exchange.requestTruncated()
    }
  }

  /// Returns false when there is nothing, or nobody who would take it now.
  private func advance() -> Bool {
    switch state {
    case .closed, .lingering, .tunnelling: return false
    case .exchanging:
      guard let exchange, inbox.readableBytes > 0, exchange.acceptsBody else { return false }
      let taken = exchange.takeBody(inbox)
      inbox.moveReaderIndex(forwardBy: min(taken.bytes, inbox.readableBytes))
      if let fault = taken.fault {
        exchange.refuseBody(fault)
        return false
      }
      return taken.bytes > 0
    case .introduction: return inbox.readableBytes > 0 && introduce()
    // A client that asks and asks, and reads no answer, waits.
    case .idle: return inbox.readableBytes > 0 && isWritable && begin()
    }
  }

  private func introduce() -> Bool {
    let bytes = inbox
    switch ProxyHeader.read(bytes.readableBytesSpan) {
    case .incomplete: return false
    case .malformed:
      answer(.refused(.proxyHeader))
      return false
    case .source(let source):
      inbox.moveReaderIndex(forwardBy: source.length)
      if let named = source.address {
        origin.address = Array(named.utf8)
        guard count(as: IPAddress(named)) else {
          cut()
          return false
        }
      }
      if let port = source.port { origin.port = port }
      // The balancer is known by its socket; whom it speaks for is not a proxy of ours.
      origin.isTrusted = source.address == nil && origin.isTrusted
      state = .idle
      return true
    }
  }

  /// The balancer's own address gives way to its client's, which is whom the limit is for.
  private func count(as client: IPAddress?) -> Bool {
    guard let client else { return true }
    worker.shared.connections.leave(address)
    address = client
    isCounted = worker.shared.connections.enter(client, isNew: false)
    return isCounted
  }

  /// A request's head, if it is all there.
  private func begin() -> Bool {
    skipEmptyLines()
    guard inbox.readableBytes > 0 else { return false }
    if inbox.readableBytes == 1, inbox.getInteger(at: inbox.readerIndex, as: UInt8.self) == 13 {
      return false  // half of an empty line
    }
    let bytes = inbox
    if headEnd.seen > 0 {
      switch headEnd.look(at: bytes.readableBytesSpan) {
      case .incomplete:
        if inbox.readableBytes > worker.headLimits.bytes { answer(.refused(.tooLarge)) }
        return false
      case .malformed:
        answer(.refused(.malformed))
        return false
      case .complete: break
      }
    }
    switch RequestParser.parse(bytes.readableBytesSpan, limits: worker.headLimits, into: worker.requestHead) {
    case .incomplete:
      expect(.slowHead, worker.times.head)
      _ = headEnd.look(at: bytes.readableBytesSpan)
      return false
    case .failed(let fault):
      answer(.refused(fault))
      return false
    case .complete:
      headEnd.reset()
      isNew = false
      let exchange = worker.makeExchange(for: self)
      self.exchange = exchange
      state = .exchanging
      deadline = .distantFuture
      exchange.prepare(inbox)
      inbox.moveReaderIndex(forwardBy: worker.requestHead.length)
      exchange.start()
      return true
    }
  }

  /// A client may send an empty line after a body (RFC 9112 section 2.2); this many are looked over.
  private func skipEmptyLines() {
    guard headEnd.seen == 0 else { return }
    var skipped = 0
    while skipped < 4, inbox.readableBytes >= 2, inbox.getInteger(at: inbox.readerIndex, as: UInt16.self) == 0x0D0A {
      inbox.moveReaderIndex(forwardBy: 2)
      skipped += 1
    }
  }

  /// Answers what never became a request, and ends the connection.
  func answer(_ page: ErrorPage) {
    worker.refused += 1
    worker.write(page, to: self, format: .html, requestID: nil, withBody: true, close: true, isOld: false)
    linger()
  }

  func readIfWanted() {
    switch state {
    case .idle: if isWritable { read() }
    case .introduction, .lingering: read()
    case .exchanging:
      // Behind a whole request only the client's end is waited for; a body is read as far as it is taken.
      // What is left of a body that is taken is the beginning of a trailer section.
      guard let exchange else { return }
      if exchange.requestEnded ? inbox.readableBytes == 0 : exchange.acceptsBody { read() }
    case .tunnelling: if exchange?.tunnelTakes(fromClient: true) == true { read() }
    case .closed: break
    }
  }
}
