import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Wire

@testable import Router

/// A router of the test's own, on a free port, with its files in a temporary directory.
final class TestRouter: Sendable {
  let port: Int
  let directory: String
  let runtime: RouterRuntime
  let listener: Int32
  private let stopper: AsyncStream<Void>.Continuation
  private let running: Task<Void, any Error>

  /// Quick limits, so that a test of one does not wait for Heroku's.
  static let quick = {
    var limits = RouterLimits()
    limits.hold = .seconds(2)
    limits.linger = .seconds(2)
    limits.newcomer = .seconds(1)
    return limits
  }()

  static func temporaryDirectory() throws -> String {
    let path = "/tmp/paas-router-\(ID<TestRouter>().description.suffix(12))"
    try Files.makeDirectory(path)
    return path
  }

  /// Alone, with these apps; `configure` may say more.
  init(
    _ apps: [RoutedApp] = [], directory: String? = nil, restored: RoutingTable? = nil,
    limits: RouterLimits = TestRouter.quick, configure: (inout RouterConfiguration) -> Void = { _ in }
  ) async throws {
    let directory = try directory ?? Self.temporaryDirectory()
    self.directory = directory
    (listener, port) = try listenOnFreePort()
    var configuration = RouterConfiguration(
      listenDescriptors: [listener], tableFile: "\(directory)/table.json", socketPath: nil, threads: 2)
    configuration.limits = limits
    configure(&configuration)
    if let restored {
      try TableFile(path: configuration.tableFile).write(restored)
    } else if configuration.socketPath == nil {
      try TableFile(path: configuration.tableFile).write(table(apps))
    }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    runtime = try await RouterRuntime(configuration, logger: logger)
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    stopper = continuation
    running = Task { [runtime] in try await runtime.run { for await _ in stream {} } }
  }

  func stop() async throws {
    stopper.finish()
    try await running.value
    close(listener)
    try Files.removeTree(directory)
  }

  func connect() throws -> Line { try Line.connect(port: port) }

  func inFlight() async -> Int { await runtime.tables.report().inFlight.reduce(0) { $0 + $1.requests } }
}

/// Runs a test body against a router, off the cooperative pool, and stops the router afterwards.
func withRouter<Value: Sendable>(
  _ apps: [RoutedApp], limits: RouterLimits = TestRouter.quick,
  _ body: @escaping @Sendable (TestRouter) throws -> Value
) async throws -> Value {
  let router = try await TestRouter(apps, limits: limits)
  do {
    let value = try await blocking { try body(router) }
    try await router.stop()
    return value
  } catch {
    try await router.stop()
    throw error
  }
}
