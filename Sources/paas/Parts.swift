import API
import Buildpacks
import Commands
import ControlPlane
import Glibc
import Linux
import Logging
import Platform
import Sandbox
import SlugRunner
import Store

/// The rooms of the server, wired. The only place that knows them all.
struct Parts: Sendable {
  let configuration: ServerConfiguration
  let sandbox: Sandbox
  let engine: LocalEngine
  let controlPlane: ControlPlane
  private let doors: APIServers
  private let logger: Logger

  static func make(
    _ configuration: ServerConfiguration, sockets: Sockets, users: RoleUsers, logger: Logger
  ) async throws -> Parts {
    let data = configuration.data
    let program = try Machine.executablePath()
    let store = try await Store(dataDirectory: data.path)
    let sandbox = await Sandbox.probe(
      stateDirectory: data.path + "/engine/crun", installation: store.installation,
      searchPath: configuration.environment["PATH"])
    let doors = try APIServers(
      APIConfiguration(
        runDirectory: data.run, api: configuration.api, receiverUID: users.receiver.uid, routerUID: users.router.uid,
        adminGroup: users.adminGroup))
    let uidBase = Self.uidBase(of: store.installation)
    let engine = LocalEngine(
      configuration: LocalEngine.Configuration(
        dataDirectory: data.path, installation: store.installation, programPath: program,
        uidForApp: { app in
          // When the ledger cannot say, an index that no app owns: the start then fails instead of sharing a uid.
          uidBase + UInt32(clamping: (try? await store.read { try $0.app(app)?.uidIndex }) ?? 999_999)
        },
        slugPath: { "\(data.path)/slugs/\($0.description.prefix(2))/\($0).tar.zst" }),
      sandbox: sandbox, logger: logger)
    let builder = SlugBuilder(
      sandbox: sandbox, shareDirectory: configuration.share, programPath: program,
      environment: BuildEnvironment.passed(from: configuration.environment))
    let controlPlane = try await ControlPlane(
      configuration: ControlPlaneConfiguration(
        dataDirectory: data.path, installation: store.installation, domain: configuration.domain,
        ssh: dialled(sockets.ssh.address, configuration.domain),
        http: dialled(sockets.http.address, configuration.domain), api: doors.apiAddress,
        bootTimeout: configuration.bootTimeout, stopGrace: configuration.stopGrace,
        shareDirectory: configuration.share, version: Commands.version, uidBase: uidBase,
        reservedHosts: configuration.reservedHosts, openMetrics: configuration.openMetrics),
      store: store, engine: engine, builder: BuildStep(builder, timeout: configuration.buildTimeout), logger: logger)
    return Parts(
      configuration: configuration, sandbox: sandbox, engine: engine, controlPlane: controlPlane, doors: doors,
      logger: logger)
  }

  var apiAddress: Address { doors.apiAddress }

  /// Serves the API from now on; the answer is the task that does.
  func serveAPI(receiver: Supervisor, router: RouterKeeper) -> Task<Void, Never> {
    Task {
      do {
        try await doors.run(
          controlPlane, pids: { (receiver: await receiver.identity?.pid, router: await router.identity?.pid) },
          restartRouter: { try await router.exchange() }, logger: logger)
      } catch is CancellationError {
        // the server ends
      } catch {
        logger.critical("API ended", metadata: ["error": "\(error)"])
        exit(1)  // without its doors a server is of no use; apps and router go on
      }
    }
  }

  /// Ends every instance; for `server:stop --all`. The ledger still says that they should run.
  func stopInstances() async {
    let keys = Set(await engine.instances(of: nil).map(\.key))
    await withTaskGroup(of: Void.self) { group in
      for key in keys { group.addTask { await engine.stop(key, grace: configuration.stopGrace) } }
    }
  }

  /// What clients dial: the domain where the server listens on every interface or on loopback, else the address.
  private static func dialled(_ address: Address, _ domain: String) -> Address {
    let general = ["", "0.0.0.0", "::", "127.0.0.1", "::1"].contains(address.host)
    return Address(host: general ? domain : address.host, port: address.port)
  }

  /// Host uids of this installation's apps: a million of them from a base that its id decides, above 1,000,000,000,
  /// where neither people's nor containers' usual ranges lie. Two installations on one machine share one by a chance
  /// of 1 in 1,000.
  private static func uidBase(of installation: InstallationID) -> UInt32 {
    let digits = installation.description.suffix(8)
    return 1_000_000_000 + (UInt32(digits, radix: 16) ?? 0) % 1000 * 1_000_000
  }
}

extension BuildStep {
  /// Step 3 by the buildpacks room.
  init(_ builder: SlugBuilder, timeout: Duration) {
    self.init(
      build: { request, output in
        try await builder.build(
          BuildRequest(
            build: request.build, app: request.app, hostUser: request.hostUser, sourceTar: request.sourceTar,
            workDirectory: request.workDirectory, cacheDirectory: request.cacheDirectory,
            slugDirectory: request.slugDirectory, environment: request.environment, timeout: timeout),
          output: output)
      },
      cancel: { await builder.cancel($0) })
  }
}
