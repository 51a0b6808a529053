import Platform

/// What the HTTP API says about an app's routes: names, settings, counters. Field names are the JSON's.

/// `GET/POST /apps/APP/domains`, `DELETE /apps/APP/domains/ID_OR_NAME`: Heroku's shape, with our additions.
public struct DomainResource: Codable, Sendable, Equatable {
  public var id: String
  public var app: NamedReference
  /// In the form that names are compared in; `*.example.com` is every name below.
  public var hostname: String
  /// `heroku` at Heroku: `default` is the name that the platform gives, `custom` one that was added.
  public var kind: String
  /// `succeeded`: routed.
  public var status: String
  /// Where DNS should lead; `nil`, as any name or address of this machine will do.
  public var cname: String?
  /// The path below which the app stands; `nil`: the whole host.
  public var prefix: String?
  /// The app sees paths without the prefix.
  public var strip: Bool
  public var created_at: String
  public var updated_at: String

  public init(
    id: String, app: NamedReference, hostname: String, kind: String, prefix: String?, strip: Bool, created_at: String
  ) {
    self.id = id
    self.app = app
    self.hostname = hostname
    self.kind = kind
    self.status = "succeeded"
    self.prefix = prefix
    self.strip = strip
    self.created_at = created_at
    self.updated_at = created_at
  }
}

/// Body of `POST /apps/APP/domains`. The host name may carry the path: `www.example.com/api`.
public struct DomainCreate: Codable, Sendable {
  public var hostname: String
  public var prefix: String?
  public var strip: Bool?

  public init(hostname: String, prefix: String? = nil, strip: Bool? = nil) {
    self.hostname = hostname
    self.prefix = prefix
    self.strip = strip
  }
}

/// Body of `PATCH /apps/APP`, as far as routes go.
public struct AppUpdate: Codable, Sendable {
  public var maintenance: Bool?
  public init(maintenance: Bool?) { self.maintenance = maintenance }
}

/// `GET /apps/APP/routing`. What is missing has the router's default.
public struct RoutingResource: Codable, Sendable, Equatable {
  public var app: NamedReference
  public var maintenance: Bool
  /// `least-connections` or `round-robin`.
  public var balancing: String?
  public var sticky: Bool?
  /// Bytes.
  public var body_limit: Int?
  public var concurrency: Int?
  public var queue: Int?
  public var first_byte_seconds: Int?
  public var idle_seconds: Int?
  public var logs: Bool?
  public var redirects: [RedirectResource]
  /// Names of the users of basic authentication.
  public var users: [String]
  /// Networks that may come in; empty: everybody's.
  public var ips: [String]
  /// Bytes of the custom pages.
  public var error_page: Int?
  public var maintenance_page: Int?

  public init(app: NamedReference, maintenance: Bool, settings: RouteSettings) {
    self.app = app
    self.maintenance = maintenance
    balancing = settings.balancing.map { $0 == .roundRobin ? "round-robin" : "least-connections" }
    sticky = settings.sticky
    body_limit = settings.bodyLimit
    concurrency = settings.concurrency
    queue = settings.queue
    first_byte_seconds = settings.firstByteSeconds
    idle_seconds = settings.idleSeconds
    logs = settings.logs
    redirects = (settings.redirects ?? []).map { RedirectResource($0) }
    users = (settings.users ?? []).map(\.name)
    ips = settings.allowedNetworks ?? []
    error_page = settings.errorPage?.utf8.count
    maintenance_page = settings.maintenancePage?.utf8.count
  }
}

/// Body of `PATCH /apps/APP/routing`: what is there is set, what ``unset`` names goes back to its default.
public struct RoutingUpdate: Codable, Sendable, Equatable {
  public var balancing: String?
  public var sticky: Bool?
  public var body_limit: Int?
  public var concurrency: Int?
  public var queue: Int?
  public var first_byte_seconds: Int?
  public var idle_seconds: Int?
  public var logs: Bool?
  /// Names of these fields.
  public var unset: [String]?

  public init() {}
}

/// `GET/POST /apps/APP/redirects`, `DELETE /apps/APP/redirects/HOST`.
public struct RedirectResource: Codable, Sendable, Equatable {
  public var from: String
  /// `https://example.com`
  public var to: String
  /// 308; else 307.
  public var permanent: Bool

  public init(from: String, to: String, permanent: Bool) {
    self.from = from
    self.to = to
    self.permanent = permanent
  }

  public init(_ redirect: Redirect) {
    self.init(from: redirect.host, to: redirect.to, permanent: redirect.permanent)
  }
}

/// `GET/POST /apps/APP/auth`, `DELETE /apps/APP/auth/NAME`. In a POST without a password one is made; it is in the
/// answer, once, and nowhere else.
public struct BasicUserResource: Codable, Sendable, Equatable {
  public var name: String
  public var password: String?

  public init(name: String, password: String? = nil) {
    self.name = name
    self.password = password
  }
}

/// `GET/POST/DELETE /apps/APP/ips`.
public struct NetworksResource: Codable, Sendable, Equatable {
  public var networks: [String]
  public init(networks: [String]) { self.networks = networks }
}

/// `GET /apps/APP/metrics`: counted since the platform's server started, over all routers.
public struct AppMetricsResource: Codable, Sendable, Equatable {
  public var app: NamedReference
  public var total: Counts
  /// `web.1`, …; `router` is what no instance had a part in.
  public var processes: [Process]

  public init(app: NamedReference, total: Counts, processes: [Process]) {
    self.app = app
    self.total = total
    self.processes = processes
  }

  public struct Process: Codable, Sendable, Equatable {
    public var name: String
    /// Requests and tunnels on it now.
    public var in_flight: Int
    /// Left out of the choice for a while, after failures.
    public var ejected: Bool
    public var counts: Counts

    public init(name: String, in_flight: Int, ejected: Bool, counts: Counts) {
      self.name = name
      self.in_flight = in_flight
      self.ejected = ejected
      self.counts = counts
    }
  }

  public struct Counts: Codable, Sendable, Equatable {
    public var requests: Int
    /// By class: `1xx` (tunnels), `2xx`, …, `none` (the client left before a response).
    public var statuses: [String: Int]
    /// Answers of class 5xx among all; 0 without any.
    public var error_rate: Double
    /// Milliseconds, estimated within the histogram's buckets; `nil` without a request.
    public var p50: Double?
    public var p95: Double?
    public var p99: Double?
    public var bytes_in: Int
    public var bytes_out: Int

    public init(
      requests: Int, statuses: [String: Int], error_rate: Double, p50: Double?, p95: Double?, p99: Double?,
      bytes_in: Int, bytes_out: Int
    ) {
      self.requests = requests
      self.statuses = statuses
      self.error_rate = error_rate
      self.p50 = p50
      self.p95 = p95
      self.p99 = p99
      self.bytes_in = bytes_in
      self.bytes_out = bytes_out
    }
  }
}

/// `POST /platform/router/restart`: who served before, who serves now.
public struct RouterRestartResource: Codable, Sendable, Equatable {
  public var old_pid: Int32?
  public var new_pid: Int32

  public init(old_pid: Int32?, new_pid: Int32) {
    self.old_pid = old_pid
    self.new_pid = new_pid
  }
}
