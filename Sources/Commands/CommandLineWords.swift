import Platform

/// Puts the words of a command line in the order that the parser reads.
enum CommandLineWords {
  /// Options that take the next word.
  private static let valued: Set<String> = [
    "-a", "--app", "-r", "--remote", "--host", "-n", "--num", "-p", "--process-type", "-s", "--source", "--confirm",
    "--tar",
    "-e", "--env",
  ]
  private static let runFlags: Set<String> = ["--no-tty", "--help", "-h"]
  /// Commands about an app, in which over SSH Dokku's order puts the app first.
  private static let aboutApps: Set<String> = [
    "apps:info", "apps:destroy", "git:remote", "config", "config:get", "config:set", "config:unset", "ps", "ps:scale",
    "ps:restart", "releases", "releases:info", "releases:rollback", "rollback", "builds", "builds:info",
    "builds:output",
    "builds:create", "deploy", "run", "logs",
    "domains", "domains:add", "domains:remove", "domains:clear", "maintenance", "maintenance:on", "maintenance:off",
    "routing", "routing:set", "routing:unset", "redirects", "redirects:add", "redirects:remove", "auth", "auth:add",
    "auth:remove", "ips", "ips:allow", "ips:remove", "ips:clear", "pages:set", "pages:unset", "metrics",
  ]

  static func normalized(_ words: [String], _ environment: CommandEnvironment) -> [String] {
    guard let command = words.first else { return words }
    var rest = Array(words.dropFirst())
    if environment.isOverSSH, aboutApps.contains(command) { rest = appFirst(rest) }
    return [command] + (command == "run" ? commandLast(rest) : rest)
  }

  /// `app web=2` → `-a app web=2`; words that name the app by `-a` stay as they are.
  private static func appFirst(_ words: [String]) -> [String] {
    let own = words.prefix { $0 != "--" }
    if own.contains(where: { $0.hasPrefix("-a") || $0.hasPrefix("--app") || $0 == "-h" || $0 == "--help" }) {
      return words
    }
    var index = 0
    while index < own.count, own[index].hasPrefix("-") { index += valued.contains(own[index]) ? 2 : 1 }
    guard index < own.count else { return words }
    var result = words
    let app = result.remove(at: index)
    return ["--app", app] + result
  }

  /// `env -a hello` → `-a hello -- env`: our options may stand anywhere before `--`, the rest is the command's.
  private static func commandLast(_ words: [String]) -> [String] {
    var options: [String] = []
    var command: [String] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        command += rest
        break
      } else if runFlags.contains(word), command.isEmpty || word == "--no-tty" {
        options.append(word)
      } else if ["-a", "--app", "-r", "--remote", "--host", "-e", "--env"].contains(word), let value = rest.popFirst() {
        options += [word, value]
      } else if command.isEmpty, word.hasPrefix("-") {
        options.append(word)
      } else if word.hasPrefix("--app=") || word.hasPrefix("--host=") || word.hasPrefix("--env=") {
        options.append(word)
      } else {
        command.append(word)
      }
    }
    return options + (command.isEmpty ? [] : ["--"] + command)
  }
}
