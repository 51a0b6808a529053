import Linux
import Platform

/// How an app's command is started inside: the slug's profile scripts first, then `sh -c COMMAND` in their
/// environment. `exec` leaves no shell behind a simple command.
enum Bootstrap {
  private static let script = """
    for f in /app/.profile.d/*.sh; do [ -r "$f" ] && . "$f"; done
    [ -r /app/.profile ] && . /app/.profile
    unset f
    exec /bin/sh -c "$1"
    """

  /// Profile scripts of public buildpacks are written for bash.
  static func arguments(_ command: String) -> [String] {
    [Files.exists("/usr/bin/bash") ? "/usr/bin/bash" : "/bin/sh", "-c", script, "paas", command]
  }

  /// The app's environment with what the engine adds. Config vars win over the defaults, not over the contract.
  static func environment(_ given: [String: String], name: String, port: Int?) -> [String: String] {
    var result = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"].merging(given) { $1 }
    result["HOME"] = "/app"
    result["DYNO"] = name
    if let port { result["PORT"] = String(port) }
    return result
  }
}
