import Client
import FoundationEssentials
import Logging
import Wire

/// The router's talk with the server: tables in, reports and log lines out. The server may be away at any time, for
/// any time; the router goes on with what it has and calls again at least once a second.
struct ServerLink: Sendable {
  private let client: PaasClient
  private let tables: RouteTables
  private let log: AccessLog
  private let logger: Logger

  /// Beyond the server's own 25 s of waiting.
  private static let pollLimit: Duration = .seconds(35)
  private static let callLimit: Duration = .seconds(5)

  init(socketPath: String, tables: RouteTables, log: AccessLog, logger: Logger) {
    client = PaasClient(address: .unix(path: socketPath))
    self.tables = tables
    self.log = log
    self.logger = logger
  }

  /// Runs until cancelled.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await followTables() }
      group.addTask { await sendReports() }
      group.addTask { await sendLogs() }
    }
  }

  /// One table before the first request, if the server answers soon: the one on disk may be old.
  func first(within limit: Duration) async {
    do {
      try await report()
      try await poll(limit: limit)
    } catch {
      logger.notice("starting without the server", metadata: ["error": "\(error)"])
    }
  }

  private func followTables() async {
    var pause = Pause()
    var isConnected = false
    while !Task.isCancelled {
      do {
        // First, because a server that has just started asks where we are before it numbers its tables.
        try await report()
        if !isConnected { logger.info("connected to the server") }
        isConnected = true
        pause.reset()
        try await poll(limit: Self.pollLimit)
      } catch {
        if Task.isCancelled { return }
        if isConnected { logger.notice("the server is away", metadata: ["error": "\(error)"]) }
        isConnected = false
        await pause.wait()
      }
    }
  }

  /// Until a server of this boot has confirmed it, our table counts as none.
  private func poll(limit: Duration) async throws {
    let confirmed = await tables.isConfirmed
    let generation = await tables.generation
    let request = ClientRequest(.get, RouterRoutes.table(after: confirmed ? generation : 0), timeout: limit)
    let response = try await client.call(request)
    guard response.status == 200 else { return }
    let table = try response.decoded(as: RoutingTable.self)
    if confirmed, table.generation == generation { return }
    try await tables.apply(table)
  }

  private func sendReports() async {
    for await _ in tables.changes {
      do { try await report() } catch { continue }  // followTables reports again when the server is back
    }
  }

  private func sendLogs() async {
    while !Task.isCancelled {
      await rest(.milliseconds(250))
      while !Task.isCancelled {
        let lines = log.take()
        if lines.isEmpty { break }
        do {
          try await post(RouterRoutes.logs, lines)
        } catch {
          log.putBack(lines)
          break
        }
      }
    }
  }

  private func report() async throws { try await post(RouterRoutes.report, await tables.report()) }

  private func post(_ path: String, _ body: some Encodable) async throws {
    let bytes = [UInt8](try Wire.encode(body))
    _ = try await client.call(
      ClientRequest(
        .post, path, headers: ["Content-Type": "application/json"], body: .bytes(bytes), timeout: Self.callLimit))
  }
}

/// 50 ms, doubling to a second.
private struct Pause {
  private var next: Duration = .milliseconds(50)

  mutating func reset() { next = .milliseconds(50) }

  mutating func wait() async {
    await rest(next)
    next = min(next * 2, .seconds(1))
  }
}

/// A sleep that ends early when the task is cancelled, which the caller looks at anyway.
private func rest(_ duration: Duration) async { try? await Task.sleep(for: duration) }
