import NIOCore
import NIOPosix

/// Why a connection to an instance could not be made.
enum ConnectFailure: Error, Equatable {
  case refused, timeout
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
        case .failure(let error): done(.failure(Self.isTimeout(error) ? .timeout : .refused))
        }
      }
  }

  /// A connection that has done its work waits for more, or ends.
  func keep(_ connection: UpstreamConnection) {
    connection.rest()
    if isDraining || !connection.upstream.giveBack(connection, most: limits.upstreamConnections) { connection.close() }
  }

  private static func isTimeout(_ error: any Error) -> Bool {
    if case .connectTimeout = error as? ChannelError { return true }
    guard let error = error as? NIOConnectionError else { return false }
    return error.connectionErrors.contains {
      if case .connectTimeout = $0.error as? ChannelError { true } else { false }
    }
  }
}
