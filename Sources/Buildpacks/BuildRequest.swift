public import Archive
public import Platform

/// One build: what goes in, and where its files stand. All paths are absolute.
public struct BuildRequest: Sendable {
  public var build: BuildID
  public var app: App
  /// Host user that builds; ignored where the sandbox has no users per app.
  public var hostUser: UInt32
  /// The source tree as a tar (plain, gzip or zstd).
  public var sourceTar: String
  /// This build's own directory; `app`, `tmp` and `bundle` are made and removed in it.
  public var workDirectory: String
  /// The app's cache, kept between builds. Two builds of an app never run at once.
  public var cacheDirectory: String
  /// Where slugs stand, as `ab/abcdef….tar.zst`.
  public var slugDirectory: String
  /// Config vars: buildpacks find one file each in ENV_DIR.
  public var environment: [String: String]
  public var timeout: Duration

  public init(
    build: BuildID, app: App, hostUser: UInt32, sourceTar: String, workDirectory: String, cacheDirectory: String,
    slugDirectory: String, environment: [String: String], timeout: Duration = .seconds(15 * 60)
  ) {
    self.build = build
    self.app = app
    self.hostUser = hostUser
    self.sourceTar = sourceTar
    self.workDirectory = workDirectory
    self.cacheDirectory = cacheDirectory
    self.slugDirectory = slugDirectory
    self.environment = environment
    self.timeout = timeout
  }
}

/// What a build may take.
public struct BuildLimits: Sendable {
  /// Compressed, in bytes; Heroku's limit is 500 MB.
  public var slugBytes: Int64
  public var source: ArchiveLimits
  /// Output that is kept and passed on; what comes after is dropped with a notice.
  public var outputBytes: Int

  public init(slugBytes: Int64 = 500 << 20, source: ArchiveLimits = ArchiveLimits(), outputBytes: Int = 16 << 20) {
    self.slugBytes = slugBytes
    self.source = source
    self.outputBytes = outputBytes
  }
}

/// What buildpacks see in their environment, beside what they set themselves.
public enum BuildEnvironment {
  /// The operator's variables that reach builds: proxies and package indexes.
  private static let passed = [
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "NPM_CONFIG_REGISTRY", "npm_config_registry",
    "BUNDLE_MIRROR__ALL", "BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/",
  ]

  /// The part of the server's own environment that builds may see.
  public static func passed(from environment: [String: String]) -> [String: String] {
    environment.filter { passed.contains($0.key) }
  }

  static func base(app: App) -> [String: String] {
    [
      "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": WorkerPath.app, "LANG": "C.UTF-8", "STACK": Stack.host.id,
      "PAAS_APP": app.name.description, "TMPDIR": WorkerPath.temporary, "XDG_CACHE_HOME": "\(WorkerPath.cache)/.xdg",
    ]
  }
}
