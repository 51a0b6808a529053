import ArgumentParser
import Commands
import GitReceiver
import Glibc
import Linux
import Platform

/// `paas server`: everything, on one machine.
struct ServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Run the platform on this machine.",
    discussion: "Every flag has an environment variable: --data is PAAS_DATA, --http is PAAS_HTTP, and so on.")

  @Option(help: "Everything the platform keeps. Default: /var/lib/paas as root, else ~/.local/share/paas.")
  var data: String?
  @Option(help: "Apps are served at APP.DOMAIN. Default: localhost.")
  var domain: String?
  @Option(help: "Address for HTTP. Default: all interfaces, port 8080. Port 0 picks a free one.")
  var http: String?
  @Option(help: "Address for git and commands over SSH. Default: all interfaces, port 2222.")
  var ssh: String?
  @Option(help: "Address for the HTTP API. Default: 127.0.0.1:7070.")
  var api: String?
  @Option(help: "Directory that holds buildpacks/. Default: found beside the program.")
  var share: String?
  @Option(help: "Seconds a web process may take to listen on its port. Default: 60.")
  var bootTimeout: Int?
  @Option(help: "Seconds between SIGTERM and SIGKILL. Default: 30.")
  var stopGrace: Int?
  @Option(help: "Seconds one build may take. Default: 1800.")
  var buildTimeout: Int?
  @Option(help: "Networks of proxies in front, CIDR,CIDR,…: what they say in X-Forwarded-* is believed.")
  var trustedProxies: String?
  @Flag(help: "Connections begin with a PROXY protocol header; with --trusted-proxies, only theirs may.")
  var proxyProtocol = false
  @Option(help: "Host names that no app can have: NAME,NAME,…")
  var reservedDomains: String?
  @Flag(help: "GET /metrics on the API address needs no token.")
  var openMetrics = false

  func run() async throws {
    do {
      try await Server.run(try resolved())
    } catch let error as any Explained {
      fail(StartError(error.message, next: error.nextStep))
    }
  }

  private func share(_ environment: [String: String], _ program: String) throws(StartError) -> String {
    if let named = share ?? environment["PAAS_SHARE"] { return named }
    return try ServerConfiguration.findShare(program: program)
  }

  private func resolved() throws(StartError) -> ServerConfiguration {
    let environment = Machine.environment
    func value(_ flag: String?, _ variable: String, _ standard: String) -> String {
      flag ?? environment[variable] ?? standard
    }
    func seconds(_ flag: Int?, _ variable: String, _ standard: Int) throws(StartError) -> Duration {
      guard let text = environment[variable], flag == nil else { return .seconds(max(1, flag ?? standard)) }
      guard let number = Int(text), number > 0 else {
        throw StartError(
          "\(variable) '\(printable(text))' is not a number of seconds", next: "for example: \(variable)=\(standard)")
      }
      return .seconds(number)
    }
    do throws(SettingError) {
      _ = try SSHLimits(environment: environment)
      try ReceiverRole.checkPushSettings(environment)
    } catch {
      throw StartError(error.message, next: error.nextStep)
    }
    let program: String
    do throws(SystemError) { program = try Machine.executablePath() } catch { throw StartError(error.message) }
    let hasProxyProtocol = try RouterFlags.isOn("PAAS_PROXY_PROTOCOL", environment)
    let hasOpenMetrics = try RouterFlags.isOn("PAAS_OPEN_METRICS", environment)
    return ServerConfiguration(
      data: try DataDirectory(value(data, "PAAS_DATA", DataDirectory.standard(environment: environment))),
      domain: try RouterFlags.domain(value(domain, "PAAS_DOMAIN", "localhost")),
      http: try Listening.parse(value(http, "PAAS_HTTP", ":8080"), option: "--http"),
      ssh: try Listening.parse(value(ssh, "PAAS_SSH", ":2222"), option: "--ssh"),
      api: try Listening.parse(value(api, "PAAS_API", "127.0.0.1:7070"), option: "--api"),
      share: try self.share(environment, program),
      bootTimeout: try seconds(bootTimeout, "PAAS_BOOT_TIMEOUT", 60),
      stopGrace: try seconds(stopGrace, "PAAS_STOP_GRACE", 30),
      buildTimeout: try seconds(buildTimeout, "PAAS_BUILD_TIMEOUT", 1800),
      router: RouterSettings(
        trustedProxies: try RouterFlags.networks(value(trustedProxies, "PAAS_TRUSTED_PROXIES", "")),
        acceptsProxyProtocol: proxyProtocol || hasProxyProtocol, limits: try RouterFlags.limits(environment),
        program: RouterSettings.ownProgram(version: Commands.version)),
      reservedHosts: try RouterFlags.hosts(value(reservedDomains, "PAAS_RESERVED_DOMAINS", "")),
      openMetrics: openMetrics || hasOpenMetrics, environment: environment)
  }
}

/// Says why on one line and ends with status 1.
func fail(_ error: StartError) -> Never {
  note("paas: \(error)\n")
  exit(1)
}

/// Tells the person who started the program something, on stderr.
func note(_ text: String) {
  // Where nobody reads, there is nobody to tell.
  try? Files.writeAll(Array(text.utf8), to: STDERR_FILENO, name: "stderr")
}
