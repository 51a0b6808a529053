/// Everything a router needs to be told. Parsed once, by the executable.
public struct RouterConfiguration: Sendable {
  /// Bound and listening TCP sockets for HTTP. They stay open, and in this process's hands, until it ends.
  public var listenDescriptors: [Int32]
  /// The last table on disk. With a server it is rewritten at each change; alone it is only read.
  public var tableFile: String
  /// The server's `run/router.sock`; `nil`: this router runs alone from its table.
  public var socketPath: String?
  /// A listening unix socket on which ``serverUID`` gets the listening descriptors back.
  public var handoverDescriptor: Int32?
  /// Who may take the listening descriptors.
  public var serverUID: UInt32
  /// Event loops; `nil`: one per core.
  public var threads: Int?
  public var limits = RouterLimits()
  /// Networks (`192.0.2.0/24`, or one address) of proxies in front of this router: what they say about a client in
  /// `X-Forwarded-*` and `Forwarded` is believed, anybody else's is overwritten.
  public var trustedProxies: [String] = []
  /// Connections from ``trustedProxies`` begin with a PROXY protocol header, version 1 or 2 (haproxy, "The PROXY
  /// protocol").
  public var acceptsProxyProtocol = false
  /// Where a router without a server writes its access log: a file, or `-` for standard output. `nil`: nowhere. With a
  /// server, lines go to it.
  public var accessLog: String?

  public init(
    listenDescriptors: [Int32], tableFile: String, socketPath: String?, handoverDescriptor: Int32? = nil,
    serverUID: UInt32 = 0, threads: Int? = nil
  ) {
    self.listenDescriptors = listenDescriptors
    self.tableFile = tableFile
    self.socketPath = socketPath
    self.handoverDescriptor = handoverDescriptor
    self.serverUID = serverUID
    self.threads = threads
  }
}

/// The router's times and sizes. The defaults are Heroku's where Heroku has one.
public struct RouterLimits: Sendable {
  /// H12: from the end of the request to the first byte of the response (Heroku: "Request Timeout").
  public var firstByte: Duration = .seconds(30)
  /// H15: no byte in either direction, in a body or a tunnel.
  public var idle: Duration = .seconds(55)
  /// H19: one attempt to connect to an instance.
  public var connect: Duration = .seconds(5)
  /// How long a request that no instance accepts is kept and tried again.
  public var hold: Duration = .seconds(2)
  /// How long a client may take to send the head of its (next) request.
  public var keepAlive: Duration = .seconds(60)
  /// How long an unused connection to an instance is kept.
  public var upstreamIdle: Duration = .seconds(2)
  /// Unused connections kept per instance and event loop.
  public var upstreamConnections = 64
  /// How long bytes of a client that already has its answer are thrown away before the connection is cut.
  public var linger: Duration = .seconds(5)
  /// How long requests in flight may take after SIGTERM.
  public var drain: Duration = .seconds(30)
  /// Access log lines kept while the server is away.
  public var logLines = 10_000

  public init() {}
}
