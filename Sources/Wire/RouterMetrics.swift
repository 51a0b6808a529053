public import Platform

/// What a router has counted since it started. Sent whole for the router, and for the apps that changed since it last
/// sent; a router that starts again starts at zero.
public struct RouterMetrics: Codable, Sendable, Equatable {
  /// As in ``RouterReport/router``.
  public var router: String
  /// Client connections open now.
  public var connections: Int
  /// Client connections accepted.
  public var accepted: Int
  /// Requests that no app was found for, or that were refused before one was looked for.
  public var refused: Int
  /// Access log lines lost because the server was away or slow.
  public var droppedLines: Int
  /// Requests that wait for an instance that accepts them.
  public var held: Int
  public var generation: UInt64
  public var apps: [AppMetrics]

  public init(
    router: String, connections: Int, accepted: Int, refused: Int, droppedLines: Int, held: Int, generation: UInt64,
    apps: [AppMetrics]
  ) {
    self.router = router
    self.connections = connections
    self.accepted = accepted
    self.refused = refused
    self.droppedLines = droppedLines
    self.held = held
    self.generation = generation
    self.apps = apps
  }
}

/// One app as one router counted it.
public struct AppMetrics: Codable, Sendable, Equatable {
  public var app: AppID
  public var name: AppName
  /// What no instance had a part in: pages of the router's own, redirects, refusals.
  public var own: RequestMetrics
  /// One per process name that has ever counted anything.
  public var instances: [InstanceMetrics]

  public init(app: AppID, name: AppName, own: RequestMetrics, instances: [InstanceMetrics]) {
    self.app = app
    self.name = name
    self.own = own
    self.instances = instances
  }
}

/// One process as one router counted it: the instances that had its name one after the other, and the one that has it.
public struct InstanceMetrics: Codable, Sendable, Equatable {
  /// Which instance has the name in the table in force; `nil` when none has.
  public var instance: InstanceID?
  /// `web.1`.
  public var name: String
  /// Requests and tunnels on that instance now.
  public var inFlight: Int
  /// It is taken out of the choice for a while, after failures.
  public var isEjected: Bool
  /// Of every instance that ever had the name.
  public var requests: RequestMetrics

  public init(instance: InstanceID?, name: String, inFlight: Int, isEjected: Bool, requests: RequestMetrics) {
    self.instance = instance
    self.name = name
    self.inFlight = inFlight
    self.isEjected = isEjected
    self.requests = requests
  }
}

/// Requests, bytes and times.
public struct RequestMetrics: Codable, Sendable, Equatable {
  /// Upper ends of the first 15 buckets of ``latency``, in milliseconds; the 16th has none.
  public static let bounds = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000]

  /// Responses by class: 1xx (tunnels), 2xx, 3xx, 4xx, 5xx, and ended without one (the client left).
  public var statuses: [Int]
  /// Body bytes from clients.
  public var bytesIn: Int
  /// Body bytes to clients; a tunnel's bytes count as well.
  public var bytesOut: Int
  /// Requests per bucket, not cumulative, from arrival to the last byte; tunnels are not in it.
  public var latency: [Int]
  /// The sum of these times, in microseconds.
  public var micros: Int

  public init(
    statuses: [Int] = Array(repeating: 0, count: 6), bytesIn: Int = 0, bytesOut: Int = 0,
    latency: [Int] = Array(repeating: 0, count: bounds.count + 1), micros: Int = 0
  ) {
    self.statuses = statuses
    self.bytesIn = bytesIn
    self.bytesOut = bytesOut
    self.latency = latency
    self.micros = micros
  }
}
