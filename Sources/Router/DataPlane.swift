import Glibc
import Linux
import NIOCore
import NIOPosix
import Platform
import Synchronization
import Wire

/// The event loops, what listens on them, and the snapshot in force on all of them.
final class DataPlane: Sendable {
  let shared: Shared
  private let limits: RouterLimits
  private let group: MultiThreadedEventLoopGroup
  private let workers: [BoundWorker]

  init(threads: Int, shared: Shared) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
    var workers: [BoundWorker] = []
    for loop in group.makeIterator() {
      let box = try await loop.submit {
        NIOLoopBoundBox<LoopWorker?>(LoopWorker(loop: loop, shared: shared), eventLoop: loop)
      }.get()
      workers.append(BoundWorker(loop: loop, box: box))
    }
    self.group = group
    self.shared = shared
    limits = shared.limits
    self.workers = workers
  }

  /// Serves on listening sockets. Each is duplicated: the caller keeps its own descriptors. One loop accepts and deals
  /// the connections out to all; a connection stays with its loop. A channel that was returned can be closed at any time:
  /// what it has accepted is on its loop's list before that, and ``drain()`` finds it.
  func listen(on descriptors: [Int32]) async throws -> [any Channel] {
    guard let first = workers.first else { return [] }
    var channels: [any Channel] = []
    for descriptor in descriptors {
      let copy = try checked("duplicate the listening socket") { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }
      let channel = try await ServerBootstrap(group: first.loop, childGroup: group)
        .serverChannelOption(.backlog, value: 4096)
        .serverChannelOption(.maxMessagesPerRead, value: 16)
        .serverChannelOption(.autoRead, value: false)
        .serverChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
          }
        }
        .withBoundSocket(copy).get()
      try await channel.eventLoop.submit { [workers] in
        try Acceptor.put(into: channel.pipeline, workers)
        try channel.syncOptions?.setOption(.autoRead, value: true)
      }.get()
      channels.append(channel)
    }
    return channels
  }

  /// Returns when every loop has the snapshot: from then on nothing new goes to an instance that is not in it.
  func apply(_ snapshot: RouteSnapshot, retired: [Backend]) async throws {
    try await onEachLoop { $0.apply(snapshot, retired: retired) }
  }

  /// Stops idle clients at once, waits for the others until the limit, then cuts them.
  func drain() async throws {
    try await onEachLoop { $0.drain() }
    let deadline = ContinuousClock.now + limits.drain
    while ContinuousClock.now < deadline {
      var open = 0
      for worker in workers { open += try await worker.loop.submit { worker.box.value?.openClients ?? 0 }.get() }
      if open == 0 { break }
      try await Task.sleep(for: .milliseconds(20))  // looked at again until the deadline
    }
    try await onEachLoop { $0.log.flush() }
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

  /// What the loops have counted, added up.
  func metrics() async throws -> (refused: Int, apps: [AppMetrics]) {
    var refused = 0
    var sums: [AppID: AppSum] = [:]
    for worker in workers {
      let (mine, apps) = try await worker.loop.submit {
        (worker.box.value?.refused ?? 0, worker.box.value?.counted() ?? [])
      }.get()
      refused += mine
      for app in apps { sums[app.app, default: app].add(app, isFirst: sums[app.app] == nil) }
    }
    return (refused, sums.values.map(\.metrics))
  }

  private func onEachLoop(_ work: @escaping @Sendable (LoopWorker) -> Void) async throws {
    for worker in workers {
      try await worker.loop.submit { if let mine = worker.box.value { work(mine) } }.get()
    }
  }
}

/// One app's counts of one loop, and their sum over all.
struct AppSum: Sendable {
  let app: AppID
  let name: AppName
  var own: RequestMetrics
  var processes: [String: RequestMetrics]
  /// What the table says about the instances now.
  var instances: [String: InstanceMetrics]

  mutating func add(_ other: AppSum, isFirst: Bool) {
    guard !isFirst else { return }
    own.add(other.own)
    for (name, counts) in other.processes { processes[name, default: RequestMetrics()].add(counts) }
    instances.merge(other.instances) { mine, _ in mine }
  }

  var metrics: AppMetrics {
    let all = processes.sorted { $0.key < $1.key }.map { name, counts in
      var metrics =
        instances[name]
        ?? InstanceMetrics(instance: nil, name: name, inFlight: 0, isEjected: false, requests: counts)
      metrics.requests = counts
      return metrics
    }
    return AppMetrics(app: app, name: name, own: own, instances: all)
  }
}

extension RequestMetrics {
  mutating func add(_ other: RequestMetrics) {
    for index in statuses.indices where index < other.statuses.count { statuses[index] += other.statuses[index] }
    for index in latency.indices where index < other.latency.count { latency[index] += other.latency[index] }
    bytesIn += other.bytesIn
    bytesOut += other.bytesOut
    micros += other.micros
  }
}

extension LoopWorker {
  /// Every app that this loop has seen.
  func counted() -> [AppSum] {
    tick()
    return apps.compactMap { app in
      guard let app else { return nil }
      var instances: [String: InstanceMetrics] = [:]
      // A loop takes an app's newer route with its next request: until then it may have instances that are gone.
      for upstream in app.upstreams where !upstream.backend.isRetired {
        let backend = upstream.backend
        let name = backend.endpoint.name
        instances[name] = InstanceMetrics(
          instance: backend.endpoint.instance, name: name, inFlight: backend.inFlight,
          isEjected: backend.isEjected(at: now), requests: RequestMetrics())
      }
      return AppSum(
        app: app.route.app, name: app.route.name, own: app.own.metrics,
        processes: app.tallies.mapValues(\.metrics), instances: instances)
    }
  }
}
