public import Platform

/// What the server decides once, at its start.
public struct ControlPlaneConfiguration: Sendable {
  /// Absolute.
  public var dataDirectory: String
  public var installation: InstallationID
  /// Apps are served at `NAME.DOMAIN`.
  public var domain: String
  /// As clients dial them; ports are the ones really bound.
  public var ssh: Address
  public var http: Address
  public var api: Address
  /// From start to listening (Heroku's R10).
  public var bootTimeout: Duration
  /// Between SIGTERM and SIGKILL (Heroku's R12).
  public var stopGrace: Duration
  /// Holds `buildpacks/` and `hooks/`.
  public var shareDirectory: String
  public var version: String
  /// Host uid of the app with index n is `uidBase + n`; ignored when not root.
  public var uidBase: UInt32
  /// Host names that no app can have, beside those of the platform's own addresses.
  public var reservedHosts: [String]
  /// `GET /metrics` is answered without a token.
  public var openMetrics: Bool

  public init(
    dataDirectory: String, installation: InstallationID, domain: String, ssh: Address, http: Address, api: Address,
    bootTimeout: Duration = .seconds(60), stopGrace: Duration = .seconds(30), shareDirectory: String, version: String,
    uidBase: UInt32 = 200_000, reservedHosts: [String] = [], openMetrics: Bool = false
  ) {
    self.dataDirectory = dataDirectory
    self.installation = installation
    self.domain = domain
    self.ssh = ssh
    self.http = http
    self.api = api
    self.bootTimeout = bootTimeout
    self.stopGrace = stopGrace
    self.shareDirectory = shareDirectory
    self.version = version
    self.uidBase = uidBase
    self.reservedHosts = reservedHosts
    self.openMetrics = openMetrics
  }
}

/// Which log lines: `paas logs -s app|router|paas -p web`.
public struct LogFilter: Sendable, Equatable {
  public enum Source: String, Sendable { case app, router, paas }

  public var source: Source?
  /// `web` or `web.1`.
  public var process: String?

  public init(source: Source? = nil, process: String? = nil) {
    self.source = source
    self.process = process
  }
}
