public import Platform

/// What the router and the server say to each other on `run/router.sock`. Only the router's uid may connect.
public enum RouterRoutes {
  /// GET `?after=N`, long poll (25 s) → 200 ``RoutingTable`` newer than N, or 204. A router that says who it is (as in
  /// ``RouterReport/router``) understands differences: it may be sent what changed since N, if N is what this server
  /// sent it last. Others are always sent the whole table.
  public static func table(after generation: UInt64, router: String? = nil) -> String {
    "/router/table?after=\(generation)" + (router.map { "&router=\($0)" } ?? "")
  }
  /// POST ``RouterReport`` → 204. Sent when a table is in force, and whenever in-flight counts of draining endpoints change.
  public static let report = "/router/report"
  /// POST, `text/plain`: lines of ``RouterLogLine`` as ``RouterLogLine/encoded`` writes them → 204.
  public static let logs = "/router/logs"
  /// POST ``RouterMetrics`` → 204. Sent every 2 s while anything changes.
  public static let metrics = "/router/metrics"
}

/// The routes of the installation: a numbered snapshot that is swapped whole. On the wire, and in the file, it may come
/// as the difference to an older one (``base``).
public struct RoutingTable: Codable, Sendable, Equatable {
  /// Grows by one with each change; a server that starts goes on from the router's number.
  public var generation: UInt64
  public var installation: InstallationID
  /// The kernel's boot id at the time of writing. A table of an earlier boot routes nothing (503) until confirmed.
  public var bootID: String
  /// `nil`: ``apps`` are all there are. Else only those that are new or changed since the table of this generation,
  /// and ``removed`` those that are gone.
  public var base: UInt64?
  public var apps: [RoutedApp]
  public var removed: [AppID]?

  public init(
    generation: UInt64, installation: InstallationID, bootID: String, apps: [RoutedApp], base: UInt64? = nil,
    removed: [AppID]? = nil
  ) {
    self.generation = generation
    self.installation = installation
    self.bootID = bootID
    self.base = base
    self.apps = apps
    self.removed = removed
  }
}

/// One app's routes.
public struct RoutedApp: Codable, Sendable, Equatable {
  public enum State: String, Codable, Sendable {
    case live
    /// No instance is ready and one is on its way: requests wait, for a bounded time (then H20).
    case starting
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
  /// Host names in lower case without port or trailing dot, internationalized ones in their ASCII form (RFC 5891);
  /// `*.example.com` stands for every name below `example.com` that no longer name matches better. Each belongs to one
  /// app.
  public var hosts: [String]
  /// Paths of hosts at which this app stands, beside or instead of ``hosts``.
  public var mounts: [Mount]?
  public var state: State
  public var endpoints: [Endpoint]
  /// `nil`: all defaults.
  public var settings: RouteSettings?

  public init(
    id: AppID, name: AppName, hosts: [String], state: State, endpoints: [Endpoint], mounts: [Mount]? = nil,
    settings: RouteSettings? = nil
  ) {
    self.id = id
    self.name = name
    self.hosts = hosts
    self.mounts = mounts
    self.state = state
    self.endpoints = endpoints
    self.settings = settings
  }
}

/// A path below which a host's requests go to this app. The longest prefix wins, and only whole segments match:
/// `/api` takes `/api`, `/api/x` and `/api?x`, not `/apis`.
public struct Mount: Codable, Sendable, Equatable {
  /// As in ``RoutedApp/hosts``.
  public var host: String
  /// Starts with `/`, does not end with one, is not `/` alone.
  public var prefix: String
  /// The instance sees the path without the prefix, and the prefix in `X-Forwarded-Prefix`.
  public var strips: Bool

  public init(host: String, prefix: String, strips: Bool) {
    self.host = host
    self.prefix = prefix
    self.strips = strips
  }
}

/// What an app's owner has set for its routes. `nil` is the router's default.
public struct RouteSettings: Codable, Sendable, Equatable {
  public enum Balancing: String, Codable, Sendable {
    /// The instance with the fewest requests in flight (the default).
    case leastConnections
    case roundRobin
  }

  public var balancing: Balancing?
  /// A cookie keeps a browser with its instance as long as that one takes requests.
  public var sticky: Bool?
  public var redirects: [Redirect]?
  /// Any of these users gets in (RFC 7617); `nil` or empty: no password is asked for.
  public var users: [BasicUser]?
  /// Networks (`192.0.2.0/24`, `2001:db8::/32`, or one address) whose clients may come in; `nil` or empty: everybody's.
  public var allowedNetworks: [String]?
  /// Bytes of a request's body, more is answered 413; `nil`: no limit.
  public var bodyLimit: Int?
  /// Client connections with a request of this app at once, more is answered 503; `nil`: no limit.
  public var concurrency: Int?
  /// Requests in flight per instance, more is answered H11; `nil`: the router's own limit.
  public var queue: Int?
  /// Seconds to the first byte of a response (H12).
  public var firstByteSeconds: Int?
  /// Seconds without a byte in either direction (H15).
  public var idleSeconds: Int?
  /// `false`: no access log lines.
  public var logs: Bool?
  /// HTML that stands in for the router's own error page (503 and its like).
  public var errorPage: String?
  /// HTML that stands in for the router's own maintenance page.
  public var maintenancePage: String?

  public init() {}
}

/// Every request for a host is answered with another address (308, or 307 when not permanent), path and query kept.
public struct Redirect: Codable, Sendable, Equatable {
  /// One of the app's ``RoutedApp/hosts``.
  public var host: String
  /// `https://example.com`: scheme and authority, no path.
  public var to: String
  public var permanent: Bool

  public init(host: String, to: String, permanent: Bool) {
    self.host = host
    self.to = to
    self.permanent = permanent
  }
}

/// A user of basic authentication. The password itself is nowhere.
public struct BasicUser: Codable, Sendable, Equatable {
  public var name: String
  /// Hexadecimal, 16 bytes or more.
  public var salt: String
  /// PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2) of the password, 32 bytes, hexadecimal.
  public var hash: String
  public var rounds: Int

  public init(name: String, salt: String, hash: String, rounds: Int) {
    self.name = name
    self.salt = salt
    self.hash = hash
    self.rounds = rounds
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
  /// Which router says so: while one drains, the next already serves. Made at its start.
  public var router: String?
  public var generation: UInt64
  /// It accepts no new connections any more, and will end.
  public var leaving: Bool?
  /// Requests in flight per instance, of every endpoint that has any, in the table or draining.
  public var inFlight: [InFlight]

  public init(generation: UInt64, inFlight: [InFlight], router: String? = nil, leaving: Bool? = nil) {
    self.router = router
    self.generation = generation
    self.leaving = leaving
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
