public import Platform
import Store
public import Wire

extension ControlPlane {
  public func metrics(_ app: String, by account: Account) async throws -> AppMetricsResource {
    let record = try await find(app, by: account)
    let counts = traffic.counts
    return MetricsSummary.resource(
      record.app, counts.processes(of: record.id), counts.present(of: record.id, in: await routes.names))
  }

  /// Prometheus' text of the apps that the account may see; an admin, and `nil` where the operator opened it to
  /// everybody who can connect, sees all of them and the routers' own counters.
  public func metricsText(by account: Account?) async throws -> String {
    guard account != nil || configuration.openMetrics else {
      throw APIError(id: "unauthorized", message: "this needs a token", next: "send 'Authorization: Bearer TOKEN'")
    }
    let apps = try await store.read { try $0.apps() }.filter { app in
      account.map { $0.isAdmin || app.owner.id == $0.id } ?? true
    }
    return MetricsText.page(
      traffic.counts, apps: apps.map(\.app), living: await routes.names, withRouters: account?.isAdmin ?? true)
  }

  /// A scrape of these metrics needs no token.
  public var hasOpenMetrics: Bool { configuration.openMetrics }
}

/// The sums that `paas metrics` shows.
enum MetricsSummary {
  static let classes = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"]

  static func resource(
    _ app: App, _ processes: [String: RequestMetrics], _ present: [String: (inFlight: Int, isEjected: Bool)]
  ) -> AppMetricsResource {
    let total = processes.values.reduce(RequestMetrics()) { $0.adding($1) }
    let names = Set(processes.keys).union(present.keys).sorted()
    return AppMetricsResource(
      app: NamedReference(id: app.id.description, name: app.name.description), total: counts(total),
      processes: names.map { name in
        AppMetricsResource.Process(
          name: name, in_flight: present[name]?.inFlight ?? 0, ejected: present[name]?.isEjected ?? false,
          counts: counts(processes[name] ?? RequestMetrics()))
      })
  }

  static func counts(_ metrics: RequestMetrics) -> AppMetricsResource.Counts {
    let requests = metrics.requests
    return AppMetricsResource.Counts(
      requests: requests, statuses: Dictionary(zip(classes, metrics.statuses)) { $1 },
      error_rate: requests == 0 ? 0 : Double(metrics.statuses[4]) / Double(requests),
      p50: percentile(50, of: metrics.latency), p95: percentile(95, of: metrics.latency),
      p99: percentile(99, of: metrics.latency), bytes_in: metrics.bytesIn, bytes_out: metrics.bytesOut)
  }

  /// In milliseconds, evenly spread within the bucket that it falls into, as Prometheus' `histogram_quantile` does; in
  /// the last bucket its lower end. `nil` when nothing was counted.
  static func percentile(_ percent: Int, of buckets: [Int]) -> Double? {
    let total = buckets.reduce(0) { $0.saturating($1) }
    guard total > 0 else { return nil }
    let rank = Double(total) * Double(percent) / 100
    var below = 0.0
    for (index, count) in buckets.enumerated() {
      let lower = index == 0 ? 0 : Double(RequestMetrics.bounds[min(index, RequestMetrics.bounds.count) - 1])
      if below + Double(count) >= rank, count > 0 {
        guard index < RequestMetrics.bounds.count else { return lower }
        return lower + (Double(RequestMetrics.bounds[index]) - lower) * max(0, rank - below) / Double(count)
      }
      below += Double(count)
    }
    return nil
  }
}

/// Text exposition format 0.0.4 (prometheus.io, "Exposition formats").
enum MetricsText {
  static func page(_ counts: TrafficCounts, apps: [App], living: Set<String>, withRouters: Bool) -> String {
    var rows: [Row] = []
    for app in apps.sorted(by: { $0.name < $1.name }) {
      let processes = counts.processes(of: app.id)
      let present = counts.present(of: app.id, in: living)
      for name in Set(processes.keys).union(present.keys).sorted() {
        let labels = #"app="\#(escaped(app.name.description))",process="\#(escaped(name))""#
        rows.append(
          Row(labels: labels, metrics: processes[name] ?? RequestMetrics(), inFlight: present[name]?.inFlight ?? 0))
      }
    }
    return requests(rows) + (withRouters ? routers(counts, living) : "")
  }

  private struct Row {
    var labels: String
    var metrics: RequestMetrics
    var inFlight: Int
  }

  private static func requests(_ rows: [Row]) -> String {
    var text = head("paas_router_requests_total", "counter", "Requests answered, by class of status.")
    for row in rows {
      for (name, count) in zip(MetricsSummary.classes, row.metrics.statuses) {
        text += "paas_router_requests_total{\(row.labels),class=\"\(name)\"} \(count)\n"
      }
    }
    text += head("paas_router_request_seconds", "histogram", "From a request's arrival to the response's last byte.")
    for row in rows { text += histogram(row) }
    text += head("paas_router_received_bytes_total", "counter", "Bytes of request bodies.")
    for row in rows { text += "paas_router_received_bytes_total{\(row.labels)} \(row.metrics.bytesIn)\n" }
    text += head("paas_router_sent_bytes_total", "counter", "Bytes of response bodies.")
    for row in rows { text += "paas_router_sent_bytes_total{\(row.labels)} \(row.metrics.bytesOut)\n" }
    text += head("paas_router_in_flight", "gauge", "Requests and tunnels on an instance now.")
    for row in rows { text += "paas_router_in_flight{\(row.labels)} \(row.inFlight)\n" }
    return text
  }

  private static func histogram(_ row: Row) -> String {
    var (text, sum) = ("", 0)
    for (bound, count) in zip(RequestMetrics.bounds, row.metrics.latency) {
      sum = sum.saturating(count)
      text += "paas_router_request_seconds_bucket{\(row.labels),le=\"\(Double(bound) / 1000)\"} \(sum)\n"
    }
    sum = sum.saturating(row.metrics.latency.last ?? 0)
    text += "paas_router_request_seconds_bucket{\(row.labels),le=\"+Inf\"} \(sum)\n"
    text += "paas_router_request_seconds_sum{\(row.labels)} \(Double(row.metrics.micros) / 1_000_000)\n"
    return text + "paas_router_request_seconds_count{\(row.labels)} \(sum)\n"
  }

  private static func routers(_ counts: TrafficCounts, _ living: Set<String>) -> String {
    let (accepted, refused, dropped) = counts.routerCounters
    let (connections, held) = counts.routerGauges(in: living)
    func one(_ name: String, _ type: String, _ help: String, _ value: Int) -> String {
      head(name, type, help) + "\(name) \(value)\n"
    }
    return one("paas_router_accepted_connections_total", "counter", "Client connections accepted.", accepted)
      + one("paas_router_refused_requests_total", "counter", "Requests that no app was found for.", refused)
      + one("paas_router_dropped_log_lines_total", "counter", "Access log lines lost.", dropped)
      + one("paas_router_connections", "gauge", "Client connections open now.", connections)
      + one("paas_router_held_requests", "gauge", "Requests that wait for an instance.", held)
  }

  private static func head(_ name: String, _ type: String, _ help: String) -> String {
    "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  /// A label's value: backslash, double quote and line feed are escaped; other control characters go.
  static func escaped(_ value: String) -> String {
    value.unicodeScalars.reduce(into: "") { text, scalar in
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: if scalar.value >= 0x20, scalar.value != 0x7F { text.unicodeScalars.append(scalar) }
      }
    }
  }
}
