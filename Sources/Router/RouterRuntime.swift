import Glibc
import Linux
import Logging
import NIOCore

/// A running router: made, started, stopped. ``RouterRole`` is this with a process around it.
final class RouterRuntime: Sendable {
  let plane: DataPlane
  let tables: RouteTables
  private let configuration: RouterConfiguration
  private let logger: Logger

  var log: AccessLog { plane.shared.log }

  /// Reads the last table. Throws ``RouterError``; with a server, a table that cannot be read is as good as none.
  init(_ configuration: RouterConfiguration, logger: Logger) async throws {
    guard !configuration.listenDescriptors.isEmpty else { throw RouterError.noListener }
    for network in configuration.trustedProxies where Network(network) == nil {
      throw RouterError.badNetwork(network)
    }
    let file = TableFile(path: configuration.tableFile)
    var table = Result { try file.read() }
    if configuration.socketPath != nil, case .failure(let error) = table {
      logger.error("cannot use the routing table on disk", metadata: ["error": "\(error)"])
      table = .success(nil)
    }
    let last = try table.get()
    if configuration.socketPath == nil, last == nil {
      throw RouterError.noTable(path: configuration.tableFile, reason: "there is no such file")
    }
    let style: AccessLog.Style =
      configuration.socketPath != nil ? .wire : configuration.accessLog != nil ? .file : .off
    let log = AccessLog(style, limit: configuration.limits.logBytes)
    let connections = min(configuration.limits.connections ?? .max, Self.connectionsThatFit())
    let shared = Shared(configuration, log: log, connections: connections)
    plane = try await DataPlane(threads: configuration.threads ?? System.coreCount, shared: shared)
    tables = RouteTables(plane: plane, file: file, logger: logger)
    self.configuration = configuration
    self.logger = logger
    if let last { try await tables.restore(last, trusted: configuration.socketPath == nil) }
  }

  /// Each request holds two descriptors; some are for the rest.
  private static func connectionsThatFit() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 500 }
    return max(64, (Int(clamping: limit.rlim_cur) - 64) / 2)
  }

  /// Serves until `stopped` ends, then finishes what is in flight.
  func run(until stopped: @escaping @Sendable () async -> Void) async throws {
    let link = configuration.socketPath.map {
      ServerLink(socketPath: $0, tables: tables, log: log, logger: logger)
    }
    try startWritingLog()
    await link?.first(within: .seconds(1))
    let talk = Task { await link?.run() }
    let turn = ListeningTurn(configuration.listenDescriptors[0])
    let stopping = Task { await stopped() }
    await turn.wait(orUntil: stopping)
    let listeners = try await listen()
    let handover = configuration.handoverDescriptor.map {
      Handover(
        socket: $0, descriptors: configuration.listenDescriptors, serverUID: configuration.serverUID, logger: logger)
    }
    handover?.start()
    logger.info("router serves", metadata: ["listeners": "\(listeners.count)"])
    await Self.first(of: stopping, orEndOf: listeners, logger)
    handover?.stop()
    for listener in listeners { try? await listener.close() }  // one that has closed itself is closed
    turn.end()
    await tables.leave()
    try await plane.drain()
    talk.cancel()
    await talk.value
    await link?.sayGoodbye()
    try await plane.shutdown()
    log.stopWriting()
    logger.info("router stopped")
  }

  /// A listening socket that fails for good ends the router, after what is in flight: whoever keeps it starts another.
  private static func first(of stopping: Task<Void, Never>, orEndOf listeners: [any Channel], _ logger: Logger) async {
    let (ends, ended) = AsyncStream.makeStream(of: Bool.self)
    for listener in listeners { listener.closeFuture.whenComplete { _ in ended.yield(false) } }
    let watch = Task {
      await stopping.value
      ended.yield(true)
    }
    defer { watch.cancel() }
    for await isTold in ends {
      if !isTold { logger.error("a listening socket has failed, the router ends") }
      return
    }
  }

  private func startWritingLog() throws {
    guard configuration.socketPath == nil, let path = configuration.accessLog else { return }
    let descriptor: Int32 =
      path == "-"
      ? STDOUT_FILENO
      : try checked("open the access log '\(path)'") { open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640) }
    startThread { [log] in
      log.write(to: descriptor)
      if descriptor != STDOUT_FILENO { close(descriptor) }
    }
  }

  private func listen() async throws -> [any Channel] {
    do {
      return try await plane.listen(on: configuration.listenDescriptors)
    } catch {
      throw RouterError.listen(reason: String(describing: error))
    }
  }
}
