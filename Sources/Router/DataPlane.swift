import Glibc
import Linux
import NIOCore
import NIOPosix
import Wire

/// The event loops, what listens on them, and the snapshot in force on all of them.
final class DataPlane: Sendable {
  let log: AccessLog
  let counters = Counters()
  private let limits: RouterLimits
  private let group: MultiThreadedEventLoopGroup
  private let workers: [Worker]

  /// A worker in its loop's keeping.
  private struct Worker: Sendable {
    let loop: any EventLoop
    let box: NIOLoopBoundBox<LoopWorker?>
  }

  init(threads: Int, limits: RouterLimits) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    let log = AccessLog(limit: limits.logLines)
    let counters = counters
    var workers: [Worker] = []
    for loop in group.makeIterator() {
      let box = try await loop.submit {
        let worker = LoopWorker(loop: loop, limits: limits, log: log, counters: counters)
        return NIOLoopBoundBox<LoopWorker?>(worker, eventLoop: loop)
      }.get()
      workers.append(Worker(loop: loop, box: box))
    }
    self.group = group
    self.log = log
    self.limits = limits
    self.workers = workers
  }

  /// Serves on listening sockets. Each is duplicated: the caller keeps its own descriptors.
  func listen(on descriptors: [Int32]) async throws -> [any Channel] {
    var channels: [any Channel] = []
    for descriptor in descriptors {
      let copy = try checked("duplicate the listening socket") { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }
      let bootstrap = ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 1024)
        .serverChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
          }
        }
        .childChannelOption(.autoRead, value: false)
        .childChannelInitializer { [workers] channel in
          channel.eventLoop.makeCompletedFuture {
            let mine = workers.first { $0.loop === channel.eventLoop }
            guard let worker = mine?.box.value else { throw ChannelError.ioOnClosedChannel }
            try ClientConnection.configure(channel, worker: worker)
          }
        }
      channels.append(try await bootstrap.withBoundSocket(copy).get())
    }
    return channels
  }

  /// Returns when every loop has the snapshot: from then on nothing new goes to an instance that is not in it.
  func apply(_ snapshot: RouteSnapshot) async throws {
    try await onEachLoop { $0.apply(snapshot) }
  }

  /// Stops idle clients at once, waits for the others until the limit, then cuts them.
  func drain() async throws {
    try await onEachLoop { $0.drain() }
    let deadline = ContinuousClock.now + limits.drain
    while ContinuousClock.now < deadline {
      var open = 0
      for worker in workers { open += try await worker.loop.submit { worker.box.value?.openClients ?? 0 }.get() }
      if open == 0 { break }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  func shutdown() async throws {
    for worker in workers {
      try await worker.loop.submit {
        worker.box.value?.close()
        worker.box.value = nil
      }.get()
    }
    try await group.shutdownGracefully()
  }

  private func onEachLoop(_ work: @escaping @Sendable (LoopWorker) -> Void) async throws {
    for worker in workers {
      try await worker.loop.submit { if let mine = worker.box.value { work(mine) } }.get()
    }
  }
}
