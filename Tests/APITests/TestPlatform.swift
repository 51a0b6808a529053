import API
import Buildpacks
import Client
import ControlPlane
import FoundationEssentials
import Glibc
import Linux
import Logging
import Platform
import Store
import Wire

/// A whole API on a ledger of its own, with real sockets. A build's tarball is kept, and yields one `web` process.
struct TestPlatform: Sendable {
  let directory: String
  let plane: ControlPlane
  let control: PaasClient
  let receiver: PaasClient
  let router: PaasClient
  let tcp: PaasClient

  /// Serves while `body` runs.
  static func serving(
    receiverUID: UInt32 = getuid(), _ body: (TestPlatform) async throws -> Void
  ) async throws {
    let directory = "/tmp/paas-api-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try Files.makeDirectory(directory + "/run")
    let servers = try APIServers(
      APIConfiguration(
        runDirectory: directory + "/run", api: Address(host: "127.0.0.1", port: 0), receiverUID: receiverUID,
        routerUID: getuid()))
    let plane = try await makePlane(directory, api: servers.apiAddress)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let server = Task { try await servers.run(plane, pids: { (receiver: 1, router: 2) }, logger: logger) }
    func client(_ name: String) -> PaasClient { PaasClient(address: .unix(path: "\(directory)/run/\(name).sock")) }
    let platform = TestPlatform(
      directory: directory, plane: plane, control: client("control"), receiver: client("receiver"),
      router: client("router"),
      tcp: PaasClient(address: .url("http://\(servers.apiAddress)")))
    do {
      try await body(platform)
    } catch {
      server.cancel()
      throw error
    }
    server.cancel()
    _ = await server.result
    try Files.removeTree(directory)
  }

  private static func makePlane(_ directory: String, api: Address) async throws -> ControlPlane {
    let store = try await Store(dataDirectory: directory)
    let configuration = ControlPlaneConfiguration(
      dataDirectory: directory, installation: store.installation, domain: "localhost",
      ssh: Address(host: "localhost", port: 2222), http: Address(host: "localhost", port: 8080), api: api,
      shareDirectory: directory, version: "test")
    let builder = BuildStep { request, output in
      output(Array(PushText.step("Test app detected").utf8))
      let size = try Files.read(request.sourceTar).count
      output(Array(PushText.detail("the source has \(size) bytes").utf8))
      return BuildResult(
        slug: Slug(digest: try SlugDigest(String(repeating: "ab", count: 32)), size: 10),
        stack: Stack(id: "host", digest: "12"),
        processTypes: [.web: "serve"], buildpack: "Test")
    } cancel: { _ in
    }
    let plane = try await ControlPlane(
      configuration: configuration, store: store, engine: TestEngine(), builder: builder,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    await plane.start()
    return plane
  }

  /// The API on TCP as somebody whose key was added.
  func loggedIn() async throws -> PaasClient {
    let blob =
      [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [0, 0, 0, 32] + (0..<32).map { _ in UInt8.random(in: 0...255) }
    let key = "ssh-ed25519 \(Data(blob).base64EncodedString())"
    _ = try await control.post("/account/keys", KeyCreate(public_key: key + " me@here"), as: KeyResource.self)
    let session: Session = try await receiver.post(ReceiverRoutes.sessions, KeyOffer(key: key, peer: "127.0.0.1"))
    var client = tcp
    client.token = session.token
    return client
  }

  /// Uploads bytes as a source; returns the build's output and how it ended.
  func deploy(_ source: [UInt8], app: String) async throws -> (text: String, exit: StreamRecord?) {
    let request = ClientRequest(
      .post, "/apps/\(app)/builds", headers: ["Content-Type": "application/x-tar"], body: .bytes(source))
    let build = try await control.call(request).decoded(as: BuildResource.self)
    var text = ""
    var exit: StreamRecord?
    let output = ClientRequest(.get, "/apps/\(app)/builds/\(build.id)/output?offset=0")
    for try await record in try await control.stream(output).records {
      if record.kind == .exit { exit = record } else { text += String(decoding: record.payload, as: UTF8.self) }
    }
    return (text, exit)
  }
}
