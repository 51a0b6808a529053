import NIOCore
import NIOHTTP1
import Platform

/// One client's connection: one request after the other, each an ``Exchange``. Reads only when somebody takes the
/// bytes; what NIO delivers beyond that (up to four reads) waits in the inbox.
final class ClientConnection: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  enum State {
    /// Between requests.
    case idle
    case exchanging(Exchange)
    /// The last answer is on its way; what the client still sends is thrown away, so that no reset overtakes it.
    case lingering
    /// Both sockets belong to a tunnel.
    case tunnelling
    case closed
  }

  let worker: LoopWorker
  let countdown: Countdown
  private let encoder: HTTPResponseEncoder
  private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
  var context: ChannelHandlerContext?
  var state = State.idle
  var inbox = CircularBuffer<HTTPServerRequestPart>()
  private var isPumping = false
  /// The client sent something after its request that is not HTTP.
  var parserError: HTTPParserError?
  private var origin = RequestOrigin(client: "", port: 0)

  private init(worker: LoopWorker) {
    self.worker = worker
    countdown = Countdown(on: worker.loop)
    var configuration = HTTPResponseEncoder.Configuration()
    configuration.automaticallySetFramingHeaders = false
    encoder = HTTPResponseEncoder(configuration: configuration)
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = 32 << 10
    limits.maxHeaderListSize = 64 << 10
    limits.maxHeaderFieldCount = 128
    decoder = ByteToMessageHandler(
      HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
  }

  static func configure(_ channel: any Channel, worker: LoopWorker) throws {
    let connection = ClientConnection(worker: worker)
    try channel.pipeline.syncOperations.addHandlers([connection.encoder, connection.decoder, connection])
  }

  // MARK: for the exchange

  var isWritable: Bool { context?.channel.isWritable ?? false }

  func write(_ part: HTTPServerResponsePart) { context?.write(wrapOutboundOut(part), promise: nil) }
  func flush() { context?.flush() }

  /// The response has been written whole.
  func exchangeEnded(close: Bool) {
    guard case .exchanging = state else { return }
    if close || worker.isDraining { return linger() }
    state = .idle
    flush()
    awaitRequest()
    pump()
  }

  func become(_ side: TunnelSide) throws {
    guard let context else { throw ChannelError.ioOnClosedChannel }
    state = .tunnelling
    countdown.cancel()
    try TunnelSide.replace(self, encoder: encoder, decoder: decoder, with: side, in: context.channel)
  }

  /// Hands what the client has sent to whoever takes it.
  func pump() {
    if isPumping { return }
    isPumping = true
    while deliverOne() {}
    isPumping = false
    if case .exchanging(let exchange) = state { exchange.flushUpstream() }
    readIfWanted()
  }

  // MARK: for the worker

  func drain() {
    if case .idle = state, inbox.isEmpty { context?.close(promise: nil) }
  }

  func cut() { context?.close(promise: nil) }

  // MARK: from the channel

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    countdown.cancel()
  }

  func channelActive(context: ChannelHandlerContext) {
    origin = RequestOrigin(
      client: context.remoteAddress?.ipAddress ?? "", port: context.localAddress?.port ?? 0)
    worker.opened(self)
    if worker.isDraining { return context.close(promise: nil) }
    awaitRequest()
    readIfWanted()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if case .lingering = state { return }
    inbox.append(unwrapInboundIn(data))
  }

  func channelReadComplete(context: ChannelHandlerContext) { pump() }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    guard context.channel.isWritable else { return }
    countdown.touch()
    if case .exchanging(let exchange) = state { exchange.clientWritable() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    let last = state
    state = .closed
    countdown.cancel()
    inbox.removeAll()
    worker.closed(self)
    if case .exchanging(let exchange) = last { exchange.clientGone() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError, error != .invalidEOFState else { return context.close(promise: nil) }
    parserError = error
    pump()
  }

  // MARK: inside

  private func awaitRequest() {
    countdown.start(worker.limits.keepAlive) { [weak self] in self?.cut() }
  }

  /// Returns false when there is nothing, or nobody who would take it now.
  private func deliverOne() -> Bool {
    switch state {
    case .closed, .lingering, .tunnelling:
      inbox.removeAll()
      return false
    case .exchanging(let exchange):
      if parserError != nil, inbox.isEmpty, exchange.wantsMore {
        cut()
        return false
      }
      guard exchange.acceptsPart, let part = inbox.popFirst() else { return false }
      exchange.requestPart(part)
      return true
    case .idle:
      guard let part = inbox.popFirst() else {
        if let parserError { refuse(parserError) }
        return false
      }
      if case .head(let head) = part { begin(head) }  // an `end` here belongs to a request that had no body
      return true
    }
  }

  private func begin(_ head: HTTPRequestHead) {
    do {
      let plan = try RequestPlan(head, from: origin, at: .now)
      let exchange = Exchange(plan, client: self, worker: worker)
      state = .exchanging(exchange)
      countdown.cancel()
      exchange.start()
    } catch {
      send(error.page, to: nil, close: true)
    }
  }

  func readIfWanted() {
    switch state {
    case .idle, .lingering: context?.read()
    case .exchanging(let exchange): if exchange.wantsMore, inbox.isEmpty { context?.read() }
    case .tunnelling, .closed: break
    }
  }
}
