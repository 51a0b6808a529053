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
  /// Networks (`10.0.0.0/8`, or one address) of load balancers whose `X-Forwarded-*` and PROXY headers are believed.
  public var trustedProxies: [String] = []
  /// Every connection begins with a PROXY header, version 1 or 2. With ``trustedProxies``, only theirs may.
  public var acceptsProxyProtocol = false
  /// A file for access log lines when the router runs alone; `-` is standard output, `nil`: they are not kept.
  public var accessLog: String?
  public var limits = RouterLimits()

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

/// The router's times and sizes. The defaults are Heroku's where Heroku has one. Those that an operator may change have
/// a variable of the environment (``settings``).
public struct RouterLimits: Sendable, Equatable {
  /// H12: from the end of the request to the first byte of the response (Heroku: "Request Timeout").
  public var firstByte: Duration = .seconds(30)
  /// H15: no byte in either direction, in a response or a tunnel.
  public var idle: Duration = .seconds(55)
  /// H19: one attempt to connect to an instance.
  public var connect: Duration = .seconds(5)
  /// How long a request that no instance accepts is kept and tried again.
  public var hold: Duration = .seconds(2)
  /// H20: how long a request waits for an app of which no instance is ready and one is starting.
  public var boot: Duration = .seconds(30)
  /// How long a client may take between two requests, and before the first.
  public var keepAlive: Duration = .seconds(60)
  /// 408: how long a client may take from the first to the last byte of a head.
  public var head: Duration = .seconds(30)
  /// H28: a request's body brings ``bodyBytes`` in each such time, unless it is the instance that does not read.
  public var body: Duration = .seconds(30)
  public var bodyBytes = 2048
  /// How long an unused connection to an instance is kept.
  public var upstreamIdle: Duration = .seconds(2)
  /// Unused connections kept per instance and event loop.
  public var upstreamConnections = 1024
  /// How long bytes of a client that already has its answer are thrown away before the connection is cut.
  public var linger: Duration = .seconds(5)
  /// How long a client between two requests is still listened to after SIGTERM: it may have sent one already.
  public var farewell: Duration = .seconds(1)
  /// The same before its first request, which it has connected for.
  public var newcomer: Duration = .seconds(5)
  /// How long requests in flight may take after SIGTERM.
  public var drain: Duration = .seconds(30)
  /// Bytes of access log lines kept while the server is away.
  public var logBytes = 4 << 20
  /// 431: bytes of a head. An instance's head of more is H17.
  public var headBytes = 64 << 10
  /// 431: fields of a head.
  public var headFields = 128
  /// 414: bytes of a request target; never more than ``headBytes``.
  public var targetBytes = 16 << 10
  /// H11: requests per instance whose response is not finished.
  public var queue = 8192
  /// Client connections at once; `nil`: what the limit on descriptors allows, which bounds any other number too.
  public var connections: Int?
  /// Client connections at once from one IPv4 address or one IPv6 /64.
  public var connectionsPerAddress = 16_384

  public init() {}
}
