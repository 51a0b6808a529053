public import Platform

/// What the router and the server say to each other on `run/router.sock`. Only the router's uid may connect.
public enum RouterRoutes {
  /// GET `?after=N`, long poll (25 s) → 200 ``RoutingTable`` newer than N, or 204.
  public static func table(after generation: UInt64) -> String { "/router/table?after=\(generation)" }
  /// POST ``RouterReport`` → 204. Sent when a table is in force, and whenever in-flight counts of draining endpoints change.
  public static let report = "/router/report"
  /// POST `[RouterLogLine]` → 204.
  public static let logs = "/router/logs"
}

/// Every route of the installation: a numbered snapshot that is swapped whole.
public struct RoutingTable: Codable, Sendable, Equatable {
  /// Grows by one with each change; a server that starts goes on from the router's number.
  public var generation: UInt64
  public var installation: InstallationID
  /// The kernel's boot id at the time of writing. A table of an earlier boot routes nothing (503) until confirmed.
  public var bootID: String
  public var apps: [RoutedApp]

  public init(generation: UInt64, installation: InstallationID, bootID: String, apps: [RoutedApp]) {
    self.generation = generation
    self.installation = installation
    self.bootID = bootID
    self.apps = apps
  }
}

/// One app's routes.
public struct RoutedApp: Codable, Sendable, Equatable {
  public enum State: String, Codable, Sendable {
    case live
    /// H81: nothing was ever deployed.
    case blank
    /// H14: scaled to zero.
    case noWeb
    /// H10: everything crashed.
    case crashed
    /// H80.
    case maintenance
  }

  public var id: AppID
  public var name: AppName
  /// Host names in lower case without port or trailing dot; each belongs to one app.
  public var hosts: [String]
  public var state: State
  public var endpoints: [Endpoint]

  public init(id: AppID, name: AppName, hosts: [String], state: State, endpoints: [Endpoint]) {
    self.id = id
    self.name = name
    self.hosts = hosts
    self.state = state
    self.endpoints = endpoints
  }
}

/// One instance that takes requests. An endpoint that left the table is drained: no new requests, those in flight end.
public struct Endpoint: Codable, Sendable, Equatable, Hashable {
  public var instance: InstanceID
  /// `web.1`, for the log.
  public var name: String
  public var address: Address

  public init(instance: InstanceID, name: String, address: Address) {
    self.instance = instance
    self.name = name
    self.address = address
  }
}

/// Which table is in force, and what is still in flight.
public struct RouterReport: Codable, Sendable, Equatable {
  public var generation: UInt64
  /// Requests in flight per instance, of every endpoint that has any, in the table or draining.
  public var inFlight: [InFlight]

  public init(generation: UInt64, inFlight: [InFlight]) {
    self.generation = generation
    self.inFlight = inFlight
  }

  public struct InFlight: Codable, Sendable, Equatable {
    public var instance: InstanceID
    public var requests: Int

    public init(instance: InstanceID, requests: Int) {
      self.instance = instance
      self.requests = requests
    }
  }
}

/// One line of the access log, ready for the app's log.
public struct RouterLogLine: Codable, Sendable, Equatable {
  public var app: AppID
  public var at: Timestamp
  /// `at=info method=GET path="/" …`
  public var text: String

  public init(app: AppID, at: Timestamp, text: String) {
    self.app = app
    self.at = at
    self.text = text
  }
}
