import CLinux
import Glibc
import Linux
public import Logging
public import Platform

/// What the receiver process is given by the server.
public struct ReceiverConfiguration: Sendable {
  /// The listening TCP socket for SSH.
  public var listenDescriptor: Int32
  /// The receiver's own directory: host keys, `repositories/`.
  public var dataDirectory: String
  /// `run/receiver.sock`, absolute.
  public var socketPath: String
  /// A pipe or socket whose other end the server holds: at its end of file the server is gone.
  public var lifelineDescriptor: Int32
  /// Names the server's process, and no other one ever.
  public var serverID: String
  /// Variables for the children that run commands, beside those of ``CommandEnvironment``.
  public var programEnvironment: [String: String]
  /// The program that runs commands; `nil`: this one.
  public var program: String?
  public var limits: SSHLimits

  public init(
    listenDescriptor: Int32, dataDirectory: String, socketPath: String, lifelineDescriptor: Int32, serverID: String,
    programEnvironment: [String: String] = [:], program: String? = nil, limits: SSHLimits? = nil
  ) {
    self.listenDescriptor = listenDescriptor
    self.dataDirectory = dataDirectory
    self.socketPath = socketPath
    self.lifelineDescriptor = lifelineDescriptor
    self.serverID = serverID
    self.programEnvironment = programEnvironment
    self.program = program
    self.limits = limits ?? SSHLimits()
  }
}

/// The receiver's process: SSH in, packs in, ref updates out. Runs as its own user, without capabilities.
public enum ReceiverRole {
  /// How the settings of what a push may cost begin, in the environment.
  public static let pushPrefix = "PAAS_PUSH_"

  /// Throws ``SettingError`` for a setting of what a push may cost that is unknown, or no number above 0.
  public static func checkPushSettings(_ environment: [String: String]) throws(SettingError) {
    _ = try PackLimits(environment: environment)
  }

  /// Serves until the lifeline ends, and then ends the process at once: sessions without a server are of no use, and
  /// everything a push needs later is in the ledger. Returns only the exit status of a lifeline that is no descriptor.
  public static func main(_ configuration: ReceiverConfiguration, logger: Logger = Logger(label: "receiver")) throws
    -> Int32
  {
    raiseDescriptorLimit()
    // Hundreds of threads come and go; arenas of their own would hold what each of them once needed.
    paas_share_memory_arenas(4)
    let server = try start(configuration, logger: logger)
    defer { server.stop() }
    try waitForEnd(of: configuration.lifelineDescriptor)
    logger.info("server gone")
    _exit(0)
  }

  /// Everything but the waiting.
  static func start(_ configuration: ReceiverConfiguration, logger: Logger) throws -> SSHServer {
    let directory = configuration.dataDirectory
    try Files.makeDirectory("\(directory)/repositories", mode: 0o700)
    let client = ReceiverClient(socketPath: configuration.socketPath)
    let repositories = Repositories(
      directory: "\(directory)/repositories", limits: try PackLimits(environment: configuration.programEnvironment),
      server: configuration.serverID)
    // Before the first connection, so that no living push is swept.
    try repositories.sweepQuarantines(logger: logger)
    let commands = CommandEnvironment(
      program: configuration.program, socketPath: configuration.socketPath, base: configuration.programEnvironment)
    let server = try SSHServer(
      listenDescriptor: configuration.listenDescriptor, hostKeyDirectory: directory,
      context: SSHSession.Context(
        client: client, repositories: repositories, commands: commands, limits: configuration.limits), logger: logger)
    let loop = WorkLoop(
      client: client, repositories: repositories,
      closeSessions: { fingerprint in server.closeSessions(fingerprint: fingerprint) }, logger: logger)
    startThread(stackSize: 1 << 20) { loop.run() }
    try server.start()
    return server
  }

  private static func waitForEnd(of lifeline: Int32) throws(SystemError) {
    var byte: UInt8 = 0
    while try checked("read the lifeline", { read(lifeline, &byte, 1) }) > 0 {}
  }

  /// Each connection needs a handful; the soft limit is often 1024.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
