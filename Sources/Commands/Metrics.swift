import ArgumentParser
import Client
import Platform
import Wire

struct Metrics: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics", abstract: "Show how many requests an app has had, how they ended and how long they took.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let metrics: AppMetricsResource = try await app.client.get(app.path("/metrics"))
    if json { return try Console.json(metrics) }
    Console.out(Self.text(metrics))
  }

  static func text(_ metrics: AppMetricsResource) -> String {
    let head = ["process", "requests", "5xx", "error rate", "p50", "p95", "p99", "in", "out", "in flight"]
    let rows = metrics.processes.map { process in
      [process.name] + cells(process.counts) + ["\(process.in_flight)" + (process.ejected ? " (left out)" : "")]
    }
    return Layout.titled(
      "\(metrics.app.name) Metrics", Layout.columns([head] + rows + [["total"] + cells(metrics.total)]))
  }

  private static func cells(_ counts: AppMetricsResource.Counts) -> [String] {
    [
      "\(counts.requests)", "\(counts.statuses["5xx"] ?? 0)", percent(counts.error_rate), time(counts.p50),
      time(counts.p95), time(counts.p99), bytes(counts.bytes_in), bytes(counts.bytes_out),
    ]
  }

  /// `0.25%`, to two decimals.
  static func percent(_ share: Double) -> String {
    let hundredths = Int((share * 10_000).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)%"
  }

  /// Milliseconds as `0.8ms`, `12ms`, `1.5s`.
  static func time(_ milliseconds: Double?) -> String {
    guard let milliseconds else { return "-" }
    if milliseconds >= 1000 { return "\((milliseconds / 100).rounded() / 10)s" }
    if milliseconds >= 10 { return "\(Int(milliseconds.rounded()))ms" }
    return "\((milliseconds * 10).rounded() / 10)ms"
  }

  static func bytes(_ count: Int) -> String {
    var (value, unit) = (Double(count), 0)
    let units = ["B", "K", "M", "G", "T"]
    while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? "\(count)B" : "\((value * 10).rounded() / 10)\(units[unit])"
  }
}

struct RouterRestart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "router:restart", abstract: "Put a new router in the place of the present one; no request is lost.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var connection: ConnectionOptions

  func run() async throws {
    let client = try connection.client()
    let restart: RouterRestartResource = try await Console.progress("Restarting the router") {
      try await client.call(ClientRequest(.post, "/platform/router/restart")).decoded(as: RouterRestartResource.self)
    } done: {
      "done, pid \($0.new_pid)"
    }
    if json { try Console.json(restart) }
  }
}
