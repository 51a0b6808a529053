import Platform
import Synchronization
import Wire

/// What all routers have counted since they started. Counters only grow: what an ended router or instance has
/// counted stays in the sums, and a count that starts again at zero goes on from where it was.
final class Traffic: Sendable {
  private let state = Mutex(TrafficCounts())

  func accept(_ metrics: RouterMetrics) { state.withLock { $0.accept(metrics) } }
  func forget(_ app: AppID) { state.withLock { $0.forget(app) } }
  var counts: TrafficCounts { state.withLock { $0 } }
}

/// ``Traffic`` as a value.
struct TrafficCounts: Sendable {
  /// One counter as its source has it now, and what it had before it last started again.
  struct Series: Sendable {
    var before = RequestMetrics()
    var last = RequestMetrics()

    var total: RequestMetrics { before.adding(last) }

    mutating func take(_ new: RequestMetrics) {
      let new = new.checked
      if new.isLess(than: last) { before = total }
      last = new
    }
  }

  /// What bears one name, as one router sees it. A router counts per name, over all instances that bear it one after
  /// the other, so the series goes on from deploy to deploy.
  struct ProcessSeries: Sendable {
    var inFlight = 0
    var isEjected = false
    var requests = Series()
  }

  struct AppSeries: Sendable {
    var name: AppName
    var own = Series()
    var named: [String: ProcessSeries] = [:]
  }

  struct RouterSeries: Sendable {
    var latest: RouterMetrics
    var apps: [AppID: AppSeries] = [:]
  }

  /// Routers that are told apart; those before are dead for sure.
  static let routersKept = 8
  /// Different names of one app's processes that a router may tell.
  static let namesKept = 1024

  /// Oldest first.
  private(set) var routers: [(name: String, series: RouterSeries)] = []
  private(set) var ended: [AppID: [String: RequestMetrics]] = [:]
  private var endedRouter: [String: Int] = [:]

  mutating func accept(_ metrics: RouterMetrics) {
    let index: Int
    if let known = routers.firstIndex(where: { $0.name == metrics.router }) {
      index = known
    } else {
      routers.append((metrics.router, RouterSeries(latest: metrics)))
      if routers.count > Self.routersKept { fold(routers.removeFirst().series) }
      index = routers.count - 1
    }
    routers[index].series.latest = metrics
    routers[index].series.latest.apps = []
    for app in metrics.apps { routers[index].series.take(app) }
  }

  mutating func forget(_ app: AppID) {
    ended[app] = nil
    for index in routers.indices { routers[index].series.apps[app] = nil }
  }

  /// Of one app by process name; `router` is what no instance had a part in.
  func processes(of app: AppID) -> [String: RequestMetrics] {
    var result = ended[app] ?? [:]
    for (_, series) in routers {
      guard let series = series.apps[app] else { continue }
      for (name, counts) in series.processes { result[name] = (result[name] ?? RequestMetrics()).adding(counts) }
    }
    return result
  }

  /// What is so now, in the routers that live.
  func present(of app: AppID, in living: Set<String>) -> [String: (inFlight: Int, isEjected: Bool)] {
    var result: [String: (inFlight: Int, isEjected: Bool)] = [:]
    for (name, series) in routers where living.contains(name) {
      for (name, process) in series.apps[app]?.named ?? [:] {
        let old = result[name] ?? (0, false)
        result[name] = (old.inFlight.saturating(process.inFlight), old.isEjected || process.isEjected)
      }
    }
    return result
  }

  /// Sums of the routers' own counters.
  var routerCounters: (accepted: Int, refused: Int, droppedLines: Int) {
    var sums = (endedRouter["accepted"] ?? 0, endedRouter["refused"] ?? 0, endedRouter["dropped"] ?? 0)
    for (_, series) in routers {
      sums.0 = sums.0.saturating(series.latest.accepted)
      sums.1 = sums.1.saturating(series.latest.refused)
      sums.2 = sums.2.saturating(series.latest.droppedLines)
    }
    return sums
  }

  func routerGauges(in living: Set<String>) -> (connections: Int, held: Int) {
    routers.filter { living.contains($0.name) }.reduce((0, 0)) { sums, router in
      let latest = router.series.latest
      return (sums.0.saturating(latest.connections), sums.1.saturating(latest.held))
    }
  }

  private mutating func fold(_ series: RouterSeries) {
    for (app, counts) in series.apps {
      for (name, requests) in counts.processes {
        ended[app, default: [:]][name] = (ended[app]?[name] ?? RequestMetrics()).adding(requests)
      }
    }
    for (name, value) in [
      ("accepted", series.latest.accepted), ("refused", series.latest.refused), ("dropped", series.latest.droppedLines),
    ] { endedRouter[name] = (endedRouter[name] ?? 0).saturating(value) }
  }
}

extension TrafficCounts.RouterSeries {
  mutating func take(_ new: AppMetrics) {
    var app = apps[new.app] ?? .init(name: new.name)
    app.name = new.name
    app.own.take(new.own)
    for name in app.named.keys {
      app.named[name]?.inFlight = 0
      app.named[name]?.isEjected = false
    }
    let told = new.instances.prefix(TrafficCounts.namesKept).filter { $0.name.utf8.count <= 64 }
    for (name, rows) in Dictionary(grouping: told, by: \.name) {
      guard app.named[name] != nil || app.named.count < TrafficCounts.namesKept else { continue }
      var series = app.named[name] ?? .init()
      series.inFlight = rows.reduce(0) { $0.saturating($1.inFlight) }
      series.isEjected = rows.contains(where: \.isEjected)
      series.requests.take(rows.reduce(RequestMetrics()) { $0.adding($1.requests.checked) })
      app.named[name] = series
    }
    apps[new.app] = app
  }
}

extension TrafficCounts.AppSeries {
  /// Everything counted, by process name.
  var processes: [String: RequestMetrics] {
    var result = named.mapValues(\.requests.total)
    result["router"] = (result["router"] ?? RequestMetrics()).adding(own.total)
    return result
  }
}

extension Int {
  /// A sum that stays within bounds, of numbers from outside; less than nothing counts as nothing.
  func saturating(_ other: Int) -> Int {
    let (sum, over) = addingReportingOverflow(Swift.max(0, other))
    return over ? .max : sum
  }
}

extension RequestMetrics {
  /// With as many classes and buckets as there are, and nothing negative.
  var checked: RequestMetrics {
    func fit(_ values: [Int], _ count: Int) -> [Int] {
      let kept = values.prefix(count).map { Swift.max(0, $0) }
      return kept + Array(repeating: 0, count: count - kept.count)
    }
    return RequestMetrics(
      statuses: fit(statuses, 6), bytesIn: max(0, bytesIn), bytesOut: max(0, bytesOut),
      latency: fit(latency, Self.bounds.count + 1), micros: max(0, micros))
  }

  func adding(_ other: RequestMetrics) -> RequestMetrics {
    RequestMetrics(
      statuses: zip(statuses, other.statuses).map { $0.saturating($1) }, bytesIn: bytesIn.saturating(other.bytesIn),
      bytesOut: bytesOut.saturating(other.bytesOut), latency: zip(latency, other.latency).map { $0.saturating($1) },
      micros: micros.saturating(other.micros))
  }

  /// Something was counted and is not any more: the source started again.
  func isLess(than old: RequestMetrics) -> Bool {
    zip(statuses, old.statuses).contains { $0 < $1 } || zip(latency, old.latency).contains { $0 < $1 }
      || bytesIn < old.bytesIn || bytesOut < old.bytesOut || micros < old.micros
  }

  var requests: Int { statuses.reduce(0) { $0.saturating($1) } }
}
