import Dispatch
import Glibc
public import Logging

/// The router as a process: `paas router`, started by the server or alone.
public enum RouterRole {
  /// Serves until SIGTERM or SIGINT, then finishes the requests in flight (``RouterLimits/drain``). Returns the exit status.
  /// Throws ``RouterError`` when it cannot start. Privileges were dropped by the caller.
  public static func main(
    _ configuration: RouterConfiguration, logger: Logger = Logger(label: "router")
  ) async throws -> Int32 {
    signal(SIGPIPE, SIG_IGN)
    raiseDescriptorLimit()
    let stop = Termination()
    let runtime = try await RouterRuntime(configuration, logger: logger)
    try await runtime.run { await stop.wait() }
    return 0
  }

  /// Each request holds two sockets; the usual soft limit of 1,024 is for programs that use select(2).
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

/// Waits for SIGTERM or SIGINT.
/// `@unchecked Sendable`: needs no lock, the sources are kept alive and never touched after `init`.
private final class Termination: @unchecked Sendable {
  private let stream: AsyncStream<Void>
  private let sources: [any DispatchSourceSignal]

  init() {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    self.stream = stream
    sources = [SIGTERM, SIGINT].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { continuation.finish() }
      source.activate()
      return source
    }
  }

  func wait() async { for await _ in stream {} }
}
