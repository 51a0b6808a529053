import Client
import FoundationEssentials
import Logging
import Wire

/// The router's talk with the server: tables in, reports and log lines out. The server may be away at any time, for
/// any time; the router goes on with what it has and calls again at least once a second.
struct ServerLink: Sendable {
  private let client: PaasClient
  private let reports: Reports
  private let tables: RouteTables
  private let log: AccessLog
  private let logger: Logger

  /// Beyond the server's own 25 s of waiting.
  private static let pollLimit: Duration = .seconds(35)
  private static let callLimit: Duration = .seconds(5)

  init(socketPath: String, tables: RouteTables, log: AccessLog, logger: Logger) {
    client = PaasClient(address: .unix(path: socketPath))
    reports = Reports(client: client, tables: tables)
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
      try await reports.send(limit: limit)
      try await poll(after: 0, limit: limit)
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
        try await reports.send(limit: Self.callLimit)
        if !isConnected { logger.info("connected to the server") }
        isConnected = true
        pause.reset()
        // Until a server of this boot has confirmed it, our table counts as none.
        let confirmed = await tables.isConfirmed
        let generation = await tables.generation
        try await poll(after: confirmed ? generation : 0, limit: Self.pollLimit)
      } catch {
        if Task.isCancelled { return }
        if isConnected { logger.notice("the server is away", metadata: ["error": "\(error)"]) }
        isConnected = false
        await pause.wait()
      }
    }
  }

  private func poll(after generation: UInt64, limit: Duration) async throws {
    let response = try await client.call(ClientRequest(.get, RouterRoutes.table(after: generation), timeout: limit))
    guard response.status == 200 else { return }
    let table = try response.decoded(as: RoutingTable.self)
    if await tables.isConfirmed, await tables.generation == table.generation { return }
    try await tables.apply(table)
  }

  private func sendReports() async {
    for await _ in tables.changes {
      var pause = Pause()
      while !Task.isCancelled {
        do {
          try await reports.send(limit: Self.callLimit)
          break
        } catch {
          await pause.wait()
        }
      }
    }
  }

  private func sendLogs() async {
    while !Task.isCancelled {
      await rest(.milliseconds(250))
      while !Task.isCancelled {
        let lines = log.take()
        if lines.isEmpty { break }
        do {
          let text = lines.map(\.encoded).joined()
          _ = try await client.call(
            ClientRequest(
              .post, RouterRoutes.logs, headers: ["Content-Type": "text/plain"], body: .bytes(Array(text.utf8)),
              timeout: Self.callLimit))
        } catch {
          log.putBack(lines)
          break
        }
      }
    }
  }
}

/// Sends reports one after the other, each made when the one before has arrived: an old one that came late would take
/// back what a newer one has acknowledged.
private actor Reports {
  private let client: PaasClient
  private let tables: RouteTables
  private var last: Task<Void, any Error>?

  init(client: PaasClient, tables: RouteTables) {
    self.client = client
    self.tables = tables
  }

  func send(limit: Duration) async throws {
    let task = Task { [client, tables, last] in
      _ = await last?.result
      try await client.send(await tables.report(), to: RouterRoutes.report, limit: limit)
    }
    last = task
    try await task.value
  }
}

extension PaasClient {
  /// A POST that may not take longer than `limit`.
  fileprivate func send(_ value: some Encodable, to path: String, limit: Duration) async throws {
    let bytes = [UInt8](try Wire.encode(value))
    _ = try await call(
      ClientRequest(
        .post, path, headers: ["Content-Type": "application/json"], body: .bytes(bytes), timeout: limit))
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
