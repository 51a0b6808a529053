import Glibc
import Logging
import NIOCore

/// A running router: made, started, stopped. ``RouterRole`` is this with a process around it.
final class RouterRuntime: Sendable {
  let plane: DataPlane
  let tables: RouteTables
  private let configuration: RouterConfiguration
  private let logger: Logger

  /// Reads the last table. Throws ``RouterError``; with a server, a table that cannot be read is as good as none.
  init(_ configuration: RouterConfiguration, logger: Logger) async throws {
    guard !configuration.listenDescriptors.isEmpty else { throw RouterError.noListener }
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
    plane = try await DataPlane(
      threads: configuration.threads ?? System.coreCount, limits: configuration.limits)
    tables = RouteTables(plane: plane, file: file, logger: logger)
    self.configuration = configuration
    self.logger = logger
    if let last { try await tables.restore(last, trusted: configuration.socketPath == nil) }
  }

  /// Serves until `stopped` ends, then finishes what is in flight.
  func run(until stopped: @Sendable () async -> Void) async throws {
    let link = configuration.socketPath.map {
      ServerLink(socketPath: $0, tables: tables, log: plane.log, logger: logger)
    }
    await link?.first(within: .seconds(1))
    let listeners = try await listen()
    let talk = Task { await link?.run() }
    let handover = configuration.handoverDescriptor.map {
      Handover(
        socket: $0, descriptors: configuration.listenDescriptors, serverUID: configuration.serverUID, logger: logger)
    }
    handover?.start()
    logger.info("router serves", metadata: ["listeners": "\(listeners.count)"])
    await stopped()
    handover?.stop()
    for listener in listeners { try await listener.close() }
    try await plane.drain()
    talk.cancel()
    await talk.value
    try await plane.shutdown()
    logger.info("router stopped")
  }

  private func listen() async throws -> [any Channel] {
    do {
      return try await plane.listen(on: configuration.listenDescriptors)
    } catch {
      throw RouterError.listen(reason: String(describing: error))
    }
  }
}
