import Client
import FoundationEssentials
import Logging
import NIOCore
import Synchronization
import Wire

/// The router's talk with the server: tables in, reports and log lines out. The server may be away at any time, for
/// any time; the router goes on with what it has and calls again at least once a second.
struct ServerLink: Sendable {
  private let client: PaasClient
  private let reports: Reports
  private let tables: RouteTables
  private let log: AccessLog
  private let logger: Logger
  private let reconnected = Reconnected()

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
      group.addTask { await sendMetrics() }
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

  /// The last word: nothing is in flight here any more, and these lines were the last.
  func sayGoodbye() async {
    do {
      while let lines = log.take() {
        _ = try await client.call(
          ClientRequest(
            .post, RouterRoutes.logs, headers: ["Content-Type": "text/plain"],
            body: .bytes(Array(lines.readableBytesView)), timeout: Self.callLimit))
      }
      try await client.send(try await tables.metrics(), to: RouterRoutes.metrics, limit: Self.callLimit)
      try await reports.send(limit: Self.callLimit)
    } catch {
      logger.notice("left without a word to the server", metadata: ["error": "\(error)"])
    }
  }

  private func followTables() async {
    var pause = Pause()
    var isConnected = false
    while !Task.isCancelled {
      do {
        // First, because a server that has just started asks where we are before it numbers its tables.
        try await reports.send(limit: Self.callLimit)
        if !isConnected {
          logger.info("connected to the server")
          reconnected.flag.store(true, ordering: .relaxed)
        }
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
    var request = ClientRequest(.get, RouterRoutes.table(after: generation), timeout: limit)
    request.answerLimit = Wire.maximumTable
    let response = try await client.call(request)
    guard response.status == 200 else { return }
    let table = try response.decoded(as: RoutingTable.self)
    if await tables.isConfirmed, await tables.generation == table.generation { return }
    // A difference to another table than ours: the whole is asked for.
    if try await !tables.apply(table), generation != 0 { try await poll(after: 0, limit: limit) }
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

  /// Every 2 s, when anything has changed: the apps that have.
  private func sendMetrics() async {
    var sent: RouterMetrics?
    while !Task.isCancelled {
      await rest(.seconds(2))
      do {
        if reconnected.flag.exchange(false, ordering: .relaxed) { sent = nil }
        let now = try await tables.metrics()
        guard now != sent else { continue }
        var change = now
        if let before = sent.map({ Dictionary(uniqueKeysWithValues: $0.apps.map { ($0.app, $0) }) }) {
          change.apps = now.apps.filter { before[$0.app] != $0 }
        }
        try await client.send(change, to: RouterRoutes.metrics, limit: Self.callLimit)
        sent = now
      } catch {
        // The server may be a new one: it is told everything.
        sent = nil
      }
    }
  }

  private func sendLogs() async {
    while !Task.isCancelled {
      await rest(.milliseconds(250))
      while !Task.isCancelled {
        guard let lines = log.take() else { break }
        do {
          _ = try await client.call(
            ClientRequest(
              .post, RouterRoutes.logs, headers: ["Content-Type": "text/plain"],
              body: .bytes(Array(lines.readableBytesView)), timeout: Self.callLimit))
        } catch {
          log.putBack(lines)
          break
        }
      }
    }
  }
}

/// Set when the server was away: it may be a new one, that is to be told everything.
private final class Reconnected: Sendable {
  let flag = Atomic(false)
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
