import NIOCore
import NIOHTTP1

/// One connection to an instance: serves one exchange at a time, or rests in the pool.
final class UpstreamConnection: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  let backend: Backend
  private let pool: UpstreamPool
  private let encoder: HTTPRequestEncoder
  private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
  private var context: ChannelHandlerContext?
  private var exchange: Exchange?
  /// It has served a request before: the instance may have closed it in the meantime.
  private(set) var isReused = false
  private(set) var idleSince = NIODeadline.now()

  private init(backend: Backend, pool: UpstreamPool) {
    self.backend = backend
    self.pool = pool
    var configuration = HTTPRequestEncoder.Configuration()
    configuration.automaticallySetFramingHeaders = false
    encoder = HTTPRequestEncoder(configuration: configuration)
    decoder = ByteToMessageHandler(
      HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes, informationalResponseStrategy: .forward))
  }

  static func configure(_ channel: any Channel, backend: Backend, pool: UpstreamPool) throws {
    let connection = UpstreamConnection(backend: backend, pool: pool)
    try channel.pipeline.syncOperations.addHandlers([connection.encoder, connection.decoder, connection])
  }

  var isActive: Bool { context?.channel.isActive ?? false }
  var isWritable: Bool { context?.channel.isWritable ?? false }

  // MARK: for the exchange

  func attach(_ exchange: Exchange) { self.exchange = exchange }
  func detach() { exchange = nil }

  func write(_ part: HTTPClientRequestPart) { context?.write(wrapOutboundOut(part), promise: nil) }
  func flush() { context?.flush() }
  func read() { context?.read() }

  func close() {
    exchange = nil
    context?.close(promise: nil)
  }

  /// In the pool from now on. One read stays open: an end, or bytes nobody asked for, close it.
  func rest() {
    exchange = nil
    isReused = true
    idleSince = .now()
    context?.read()
  }

  /// Gives the socket to a tunnel; what came after the head follows through it.
  func become(_ side: TunnelSide) throws {
    guard let context else { throw ChannelError.ioOnClosedChannel }
    try TunnelSide.replace(self, encoder: encoder, decoder: decoder, with: side, in: context.channel)
  }

  // MARK: from the channel

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }
  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let exchange else { return context.close(promise: nil) }
    exchange.received(unwrapInboundIn(data))
  }

  func channelReadComplete(context: ChannelHandlerContext) { exchange?.receivedAll() }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { exchange?.upstreamWritable() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    pool.forget(self)
    exchange?.upstreamEnded(malformed: false)
    exchange = nil
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    let parserError = error as? HTTPParserError
    exchange?.upstreamEnded(malformed: parserError != nil && parserError != .invalidEOFState)
    exchange = nil
    context.close(promise: nil)
  }
}
