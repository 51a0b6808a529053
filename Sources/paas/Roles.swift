import ArgumentParser
import GitReceiver
import Glibc
import Linux
import Logging
import Platform
import Router

/// `paas receiver`: started by the server with its sockets; of no use by hand.
struct ReceiverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "receiver", shouldDisplay: false)

  @Option var data: String
  @Option var socket: String
  @Option var listenFd: Int32
  @Option var lifelineFd: Int32
  @Option var serverId: String

  func run() throws {
    try becomeRole("receiver")
    do {
      let environment = Machine.environment
      let status = try ReceiverRole.main(
        ReceiverConfiguration(
          listenDescriptor: listenFd, dataDirectory: data, socketPath: socket, lifelineDescriptor: lifelineFd,
          serverID: serverId, programEnvironment: environment.filter { !$0.key.hasPrefix(SSHLimits.prefix) },
          limits: try SSHLimits(environment: environment)))
      throw ExitCode(status)
    } catch let error as any Explained {
      fail(StartError(error.message, next: error.nextStep))
    }
  }
}

/// `paas router`: started by the server with its sockets, or by hand from a table, for tests and benchmarks.
struct RouterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "router", abstract: "Run the HTTP router alone, from a routing table in a file.")

  @Option(help: "The routing table as JSON (docs/wire.md).")
  var table: String?
  @Option(help: "Address to listen on.")
  var http: String = "127.0.0.1:8080"
  @Option(help: "Event loops. Default: one per core.")
  var threads: Int?
  @Option(help: "Networks of proxies in front, CIDR,CIDR,…: what they say in X-Forwarded-* is believed.")
  var trustedProxies: String?
  @Flag(help: "Connections begin with a PROXY protocol header; with --trusted-proxies, only theirs may.")
  var proxyProtocol = false
  @Option(help: "Write the access log to this file; - is standard output.")
  var accessLog: String?
  @Option(help: .hidden) var tableFile: String?
  @Option(help: .hidden) var socket: String?
  @Option(help: .hidden) var listenFd: Int32?
  @Option(help: .hidden) var handoverFd: Int32?
  @Option(help: .hidden) var lifeFd: Int32?
  @Option(help: .hidden) var tableFrom: String?
  @Option(help: .hidden) var serverUid: UInt32 = 0

  func run() async throws {
    if listenFd != nil { try becomeRole("router") }
    if let lifeFd, let own = ProcessIdentity.current {
      try Files.writeAll(RouterSlot.lifeLine(own), to: lifeFd, name: "the router's life")
    }
    do throws(StartError) {
      guard let file = tableFile ?? table else {
        throw StartError("the router has no routing table", next: "name one: --table FILE.json")
      }
      let limits = try RouterFlags.limits(Machine.environment)
      if let tableFrom { takeOver(tableFrom, as: file) }
      let descriptor: Int32
      if let listenFd {
        descriptor = listenFd
      } else {
        let listening = try Listening.tcp(try Listening.parse(http, option: "--http"), option: "--http")
        descriptor = listening.descriptor
        print("paas router listens on \(listening.address)")
        fflush(nil)
      }
      try await serve(file, on: descriptor, limits)
    } catch {
      fail(error)
    }
  }

  /// Starts from the last table of the router before. Without it the server's first answer is the first table.
  private func takeOver(_ other: String, as file: String) {
    do {
      try Files.writeDurably(try Files.read(other, limit: 256 << 20), to: file, mode: 0o600)
    } catch {
      unlink(file)
    }
  }

  private func serve(_ file: String, on descriptor: Int32, _ limits: RouterLimits) async throws(StartError) {
    let status: Int32
    do {
      var configuration = RouterConfiguration(
        listenDescriptors: [descriptor], tableFile: file, socketPath: socket, handoverDescriptor: handoverFd,
        serverUID: serverUid, threads: threads)
      configuration.trustedProxies = try RouterFlags.networks(trustedProxies ?? "")
      configuration.acceptsProxyProtocol = proxyProtocol
      configuration.accessLog = accessLog
      configuration.limits = limits
      status = try await RouterRole.main(configuration)
    } catch {
      throw StartError((error as? any Explained)?.message ?? "\(error)", next: (error as? any Explained)?.nextStep)
    }
    Glibc.exit(status)
  }
}

/// A role runs without privileges: it was dropped to its user before this program was loaded, and where the server is
/// not root there was nothing to drop but the right to gain some. Refuses to go on as root.
func becomeRole(_ name: String) throws {
  guard geteuid() != 0 else {
    fail(StartError("the \(name) does not run as root", next: "start `paas server`; it starts the \(name)"))
  }
  Machine.nameProcess("paas-\(name)")
  Machine.forgoPrivileges()
  LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
}
