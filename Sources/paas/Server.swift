import ControlPlane
import Glibc
import Linux
import Logging
import Platform
import Sandbox
import SlugRunner
import UnixSignals

/// The server, from its first check to its last: the order of ``run(_:)`` is the order of things.
enum Server {
  static func run(_ configuration: ServerConfiguration) async throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    let logger = Logger(label: "paas.server")
    let data = configuration.data
    let users = try RoleUsers.find()
    try checkPrograms(configuration.environment)
    try data.prepare(roles: users)
    let lock = try data.lock()
    defer { close(lock) }
    raiseDescriptorLimit()

    let sockets = try Sockets.open(configuration, users: users)
    let parts = try await Parts.make(configuration, sockets: sockets, users: users, logger: logger)
    await parts.engine.adopt()
    await parts.controlPlane.start()

    let receiver = Supervisor(name: "receiver", logger: logger) {
      try ReceiverProcess(data: data, users: users, ssh: sockets.ssh, environment: configuration.receiverEnvironment)
        .start()
    }
    let router = RouterKeeper(
      process: RouterProcess(
        data: data, users: users, environment: configuration.routerEnvironment, http: sockets.http,
        settings: configuration.router), controlPlane: parts.controlPlane, logger: logger)
    let api = parts.serveAPI(receiver: receiver, router: router)
    try await router.begin(sockets.living)
    try await receiver.begin()
    // The router that outlived the last server, if its sockets are ours, is another program or has other flags or limits.
    let isOther = sockets.living.first.map { $0.http != nil && $0.record.settings != configuration.router.fingerprint }
    try await waitUntilListening(sockets.ssh, receiver: receiver)
    try await waitUntilRouting(router, parts.controlPlane, isOther: isOther ?? false)
    let reconciler = Task { await parts.controlPlane.run() }
    announce(configuration, sockets, parts)
    if isOther ?? false { Task { await exchange(router, logger) } }

    let all = await untilSignalled()
    Notify.send("STOPPING=1", environment: configuration.environment)
    logger.info("stopping", metadata: ["apps": all ? "stop" : "go on"])
    await parts.controlPlane.endBuilds()
    await receiver.stop(grace: .seconds(5))
    reconciler.cancel()
    if all {
      await router.stop()
      await parts.stopInstances()
    } else {
      await router.letGo()
    }
    api.cancel()
    exit(0)
  }

  /// The router that outlived the last server is another program, or was started with other flags or limits.
  private static func exchange(_ router: RouterKeeper, _ logger: Logger) async {
    do {
      _ = try await router.exchange()
    } catch {
      logger.error("the router of the last server stays", metadata: ["cause": "\(error)"])
    }
  }

  /// Ends every instance that a dead server left; the caller holds the lock.
  static func stopLeftovers(in data: DataDirectory) async {
    guard let text = try? Files.text(data.installationFile),
      let installation = InstallationID(text.split(separator: "\n").first.map(String.init) ?? "")
    else { return }
    let logger = Logger(label: "paas.stop")
    let sandbox = await Sandbox.probe(stateDirectory: data.path + "/engine/crun", installation: installation)
    for id in await sandbox.list() {
      logger.info("ending a leftover", metadata: ["container": "\(id)"])
      sandbox.signal(SIGTERM, id: id)
    }
    let deadline = ContinuousClock.now + .seconds(10)
    while await !sandbox.list().isEmpty, ContinuousClock.now < deadline { await blocking { _ = poll(nil, 0, 50) } }
    for id in await sandbox.list() { await sandbox.destroy(id: id) }
  }

  /// The programs without which no app can start. Their packages are one line away, so a server without them does not
  /// pretend to be of use.
  private static func checkPrograms(_ environment: [String: String]) throws(StartError) {
    let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    let missing = ["crun", "conmon", "tini"].filter { program in
      !path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }
    if !missing.isEmpty {
      throw StartError(
        "\(missing.joined(separator: ", ")) not found; apps run in sandboxes that need it",
        next: "install: apt-get install \(missing.joined(separator: " "))")
    }
  }

  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)  // the soft limit simply stays where it was
  }

  /// Until the receiver answers a stranger. One that ends again and again has said why.
  private static func waitUntilListening(_ ssh: Listening, receiver: Supervisor) async throws(StartError) {
    let deadline = ContinuousClock.now + .seconds(30)
    while await !Probe.answers(ssh.address, question: "", with: "SSH-2.0", within: .seconds(1)) {
      guard await receiver.ends < 3 else {
        throw StartError("the receiver does not start", next: "look at its words in the log above")
      }
      guard ContinuousClock.now < deadline else {
        throw StartError("nothing answers on \(ssh.address) after 30 seconds", next: "look at the log above")
      }
    }
  }

  /// Until the router has the routes in force. It is not asked over HTTP: with the PROXY protocol it may answer nobody
  /// but proxies. One that will be exchanged need not get there, and a ledger that cannot be read is no reason to end: the
  /// log says so.
  private static func waitUntilRouting(
    _ router: RouterKeeper, _ controlPlane: ControlPlane, isOther: Bool
  ) async throws(StartError) {
    let deadline = ContinuousClock.now + .seconds(isOther ? 5 : 30)
    guard await controlPlane.hasRoutes else { return }
    while ContinuousClock.now < deadline {
      if let identity = await router.identity {
        if await controlPlane.routerIsReady(identity, within: .seconds(1)) { return }
      } else {
        await blocking { _ = poll(nil, 0, 20) }
      }
    }
    if isOther { return }
    throw StartError(
      "the router has no routes in force after 30 seconds",
      next: "look at logs/router-process.log in the data directory")
  }

  private static func announce(_ configuration: ServerConfiguration, _ sockets: Sockets, _ parts: Parts) {
    for sentence in parts.sandbox.capabilities.missing { note("paas: \(sentence)\n") }
    for fingerprint in configuration.data.hostKeyFingerprints() { note("paas: SSH host key \(fingerprint)\n") }
    let domain = configuration.domain
    print(
      "paas is ready: http http://APP.\(domain):\(sockets.http.address.port)/ , ssh ssh://paas@\(domain):\(sockets.ssh.address.port) , "
        + "api http://\(parts.apiAddress) , control unix:\(configuration.data.controlSocket)")
    fflush(nil)
    Notify.send("READY=1", environment: configuration.environment)
  }

  /// Waits for SIGTERM or SIGINT (apps go on) or SIGUSR2 (everything ends); `true` for the latter.
  private static func untilSignalled() async -> Bool {
    for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr2) {
      return signal == .sigusr2
    }
    return false
  }
}
