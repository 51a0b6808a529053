import Platform
import Wire

/// What one event loop has counted about one process of an app (`web.1`, over all its instances), or about what no
/// instance had a part in.
final class Tally {
  private var statuses = InlineArray<6, Int>(repeating: 0)
  private var latency = InlineArray<16, Int>(repeating: 0)
  private var bytesIn = 0
  private var bytesOut = 0
  private var micros = 0

  /// One request that has ended. `status` 0: without a response. `micros` of `nil`: a tunnel.
  func add(status: Int, bytesIn: Int, bytesOut: Int, micros: Int?) {
    let kind = status >= 100 && status < 600 ? status / 100 - 1 : 5
    statuses[kind] &+= 1
    self.bytesIn &+= bytesIn
    self.bytesOut &+= bytesOut
    guard let micros else { return }
    self.micros &+= micros
    latency[Self.bucket(micros)] &+= 1
  }

  /// The first bucket whose upper end is not below.
  static func bucket(_ micros: Int) -> Int {
    switch micros {
    case ...1_000: 0
    case ...2_000: 1
    case ...5_000: 2
    case ...10_000: 3
    case ...25_000: 4
    case ...50_000: 5
    case ...100_000: 6
    case ...250_000: 7
    case ...500_000: 8
    case ...1_000_000: 9
    case ...2_500_000: 10
    case ...5_000_000: 11
    case ...10_000_000: 12
    case ...30_000_000: 13
    case ...60_000_000: 14
    default: 15
    }
  }

  var metrics: RequestMetrics {
    RequestMetrics(
      statuses: (0..<6).map { statuses[$0] }, bytesIn: bytesIn, bytesOut: bytesOut,
      latency: (0..<16).map { latency[$0] }, micros: micros)
  }
}

/// One app as one event loop sees it.
final class LoopApp {
  private(set) var route: Route
  private(set) var upstreams: [LoopUpstream] = []
  let own = Tally()
  /// By process name: an instance's successor goes on counting where it stopped.
  private(set) var tallies: [String: Tally] = [:]
  /// Turns of the balancer.
  var turn = 0
  /// Log lines lost since the last one that said so.
  var dropped = 0

  /// The app in log lines for the server and for a file.
  let wireName: [UInt8]
  let fileName: [UInt8]

  init(_ route: Route) {
    self.route = route
    wireName = Array(route.app.description.utf8)
    fileName = Array(route.name.description.utf8)
    refresh(route)
  }

  /// Takes a newer route of the same app. Connections to instances that stay are kept.
  func refresh(_ route: Route) {
    let old = upstreams
    self.route = route
    upstreams = route.backends.map { backend in
      if let same = old.first(where: { $0.backend === backend }) { return same }
      let name = backend.endpoint.name
      let tally = tallies[name] ?? Tally()
      tallies[name] = tally
      return LoopUpstream(backend, tally: tally)
    }
  }
}

/// One instance as one event loop sees it: the connections to it that wait for their next request.
final class LoopUpstream {
  let backend: Backend
  let tally: Tally
  /// The one used last is at the end: it is the least likely to be closed by the instance now.
  private(set) var idle: [UpstreamConnection] = []

  /// `web.1`.
  let name: [UInt8]

  init(_ backend: Backend, tally: Tally) {
    self.backend = backend
    name = Array(backend.endpoint.name.utf8)
    self.tally = tally
  }

  func take() -> UpstreamConnection? {
    while let connection = idle.popLast() {
      if connection.isUsable { return connection }
    }
    return nil
  }

  /// False when it is not kept.
  func giveBack(_ connection: UpstreamConnection, most: Int) -> Bool {
    guard connection.isUsable, !backend.isRetired, idle.count < most else { return false }
    idle.append(connection)
    return true
  }

  func forget(_ connection: UpstreamConnection) {
    if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
  }

  func close(where isDue: (UpstreamConnection) -> Bool) {
    for connection in idle where isDue(connection) {
      forget(connection)
      connection.close()
    }
  }
}
