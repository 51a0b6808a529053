import Glibc
import NIOCore
import NIOPosix

extension AdaptiveRecvByteBufferAllocator {
  /// Small for heads; a body that keeps coming gets large reads, and a connection that falls idle small ones again. One
  /// large read at a time: what costs is waking up for it, and the sizes are where megabytes were cheapest.
  static let responses = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 512 << 10)
  static let requests = AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 2048, maximum: 256 << 10)
}

extension ChannelOptions.Types.WriteBufferWaterMark {
  /// What one side may be ahead of the other, and then by one read.
  static var bodies: ChannelOptions.Types.WriteBufferWaterMark { .init(low: 64 << 10, high: 128 << 10) }
}

/// Why a connection to an instance could not be made.
enum ConnectFailure: Error, Equatable {
  case refused, timeout
  /// The instance was not even asked: descriptors, ports or memory have run out here.
  case exhausted
}

extension LoopWorker {
  /// A new connection to an instance; `done` runs on the loop, later.
  func connect(
    to upstream: LoopUpstream, _ done: @escaping (Result<UpstreamConnection, ConnectFailure>) -> Void
  ) {
    guard let target = upstream.backend.address else {
      loop.assumeIsolated().execute { done(.failure(.timeout)) }
      return
    }
    let connection = NIOLoopBound(UpstreamConnection(upstream, worker: self), eventLoop: loop)
    ClientBootstrap(group: loop)
      .channelOption(.autoRead, value: false)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator.responses)
      .channelOption(.writeBufferWaterMark, value: .bodies)
      .connectTimeout(times.connect)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(connection.value) }
      }
      .connect(to: target)
      .assumeIsolated()
      .whenComplete { [self] result in
        tick()
        switch result {
        case .success: done(.success(connection.value))
        case .failure(let error): done(.failure(Self.kind(of: error)))
        }
      }
  }

  /// A connection that has done its work waits for more, or ends.
  func keep(_ connection: UpstreamConnection) {
    connection.rest()
    if isDraining || !connection.upstream.giveBack(connection, most: limits.upstreamConnections) { connection.close() }
  }

  private static func kind(of error: any Error) -> ConnectFailure {
    let causes = (error as? NIOConnectionError)?.connectionErrors.map(\.error) ?? [error]
    for cause in causes {
      if case .connectTimeout = cause as? ChannelError { return .timeout }
      let number = (cause as? IOError)?.errnoCode
      if [EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL].contains(number) { return .exhausted }
    }
    return .refused
  }
}
