import Platform
import Synchronization
import Wire

/// What all routers have counted since this server started. Counters only grow: what an ended router or instance has
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

  /// One instance as one router sees it.
  struct InstanceSeries: Sendable {
    var name: String
    var inFlight: Int
    var isEjected: Bool
    var requests = Series()
  }

  struct AppSeries: Sendable {
    var name: AppName
    var own = Series()
    var instances: [InstanceID: InstanceSeries] = [:]
    /// What instances that are gone have counted, by name.
    var ended: [String: RequestMetrics] = [:]

    /// Folds the oldest instances that the router does not name any more into the sums.
    mutating func fold(absent present: Set<InstanceID>) {
      for id in instances.keys where !present.contains(id) {
        instances[id]?.inFlight = 0
        instances[id]?.isEjected = false
      }
      let gone = instances.keys.filter { !present.contains($0) }.sorted()
      for id in gone.dropLast(TrafficCounts.instancesKept) {
        guard let old = instances.removeValue(forKey: id) else { continue }
        let name = ended[old.name] != nil || ended.count < TrafficCounts.namesKept ? old.name : "other"
        ended[name] = (ended[name] ?? RequestMetrics()).adding(old.requests.total)
      }
    }
  }

  struct RouterSeries: Sendable {
    var latest: RouterMetrics
    var apps: [AppID: AppSeries] = [:]
  }

  /// Instances of an app that a router does not name any more and that are still told apart.
  static let instancesKept = 32
  /// Routers that are told apart; those before are dead for sure.
  static let routersKept = 8
  /// Different names of one app's instances, as a router may tell them.
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
      for instance in (series.apps[app]?.instances ?? [:]).values {
        let old = result[instance.name] ?? (0, false)
        result[instance.name] = (old.inFlight.saturating(instance.inFlight), old.isEjected || instance.isEjected)
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
    for instance in new.instances.prefix(TrafficCounts.namesKept) where instance.name.utf8.count <= 64 {
      var series = app.instances[instance.instance] ?? .init(name: instance.name, inFlight: 0, isEjected: false)
      series.inFlight = max(0, instance.inFlight)
      series.isEjected = instance.isEjected
      series.requests.take(instance.requests)
      app.instances[instance.instance] = series
    }
    app.fold(absent: Set(new.instances.map(\.instance)))
    apps[new.app] = app
  }
}

extension TrafficCounts.AppSeries {
  /// Everything counted, by process name.
  var processes: [String: RequestMetrics] {
    var result = ended
    result["router"] = own.total
    for instance in instances.values {
      result[instance.name] = (result[instance.name] ?? RequestMetrics()).adding(instance.requests.total)
    }
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
