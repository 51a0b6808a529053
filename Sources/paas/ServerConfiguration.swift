import GitReceiver
import Linux
import Platform
import Router

/// How a server runs: flags over environment over defaults, parsed once.
struct ServerConfiguration: Sendable {
  var data: DataDirectory
  var domain: String
  var http: Address
  var ssh: Address
  var api: Address
  /// Holds `buildpacks/`.
  var share: String
  /// How long a `web` process may take to listen on its port (R10).
  var bootTimeout: Duration
  /// Between SIGTERM and SIGKILL (R12).
  var stopGrace: Duration
  /// How long one build may take (B12).
  var buildTimeout: Duration
  var router: RouterSettings
  /// Host names that no app can have, beside those of the platform's own addresses.
  var reservedHosts: [String]
  /// `GET /metrics` on the API address needs no token.
  var openMetrics: Bool
  var environment: [String: String]

  /// What a role or a child of ours is given: nothing but what it needs to find programs and speak to a person.
  var roleEnvironment: [String: String] {
    var kept = ["PATH": environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"]
    for name in ["PAAS_CHECKPOINT", "PAAS_CHECKPOINT_FILE", "SWIFT_BACKTRACE", "LD_LIBRARY_PATH"] {
      kept[name] = environment[name]
    }
    return kept
  }

  /// The receiver's, with the settings of its SSH server.
  var receiverEnvironment: [String: String] {
    let settings = environment.filter { name, _ in
      name.hasPrefix(SSHLimits.prefix) || name.hasPrefix(ReceiverRole.pushPrefix)
    }
    return roleEnvironment.merging(settings) { $1 }
  }

  /// The router's, with the settings of its limits.
  var routerEnvironment: [String: String] {
    roleEnvironment.merging(environment.filter { $0.key.hasPrefix(RouterLimits.prefix) }) { $1 }
  }

  /// Buildpacks lie in `--share`, else beside the program: PREFIX/share/paas, or the source tree it was built in.
  static func findShare(program: String) throws(StartError) -> String {
    var directory = program
    for _ in 0..<6 {
      directory = directory.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
      for candidate in [directory + "/share/paas", directory]
      where Files.exists(candidate + "/buildpacks/python/bin/detect") {
        return candidate
      }
    }
    throw StartError(
      "cannot find the directory 'buildpacks' beside the program '\(program)'",
      next: "say where it is: --share DIR (the directory that holds buildpacks/)")
  }
}
