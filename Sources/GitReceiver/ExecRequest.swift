import Platform

/// What a client asks for in an SSH exec request. A value that exists is safe to act on: an app's name is valid, a
/// command is one that may be used from outside.
enum ExecRequest: Equatable {
  /// `git-receive-pack 'APP.git'`
  case push(AppName)
  /// `git-upload-pack 'APP.git'`
  case fetch(AppName)
  /// `ps:scale web=2 -a hello`
  case command(name: String, arguments: [String])

  /// Reads the request's text; throws ``ExecRefusal`` with what to tell the client.
  init(parsing bytes: [UInt8]) throws(ExecRefusal) {
    var words = try ShellWords.split(bytes)[...]
    guard var verb = words.popFirst(), !verb.isEmpty else {
      throw ExecRefusal("the command is empty", next: ExecRefusal.list)
    }
    if verb == "git", let second = words.popFirst() { verb = "git-" + second }
    switch verb {
    case "git-receive-pack": self = .push(try Self.app(Array(words), of: verb))
    case "git-upload-pack": self = .fetch(try Self.app(Array(words), of: verb))
    case _ where verb.hasPrefix("git-"):
      throw ExecRefusal("'\(printable(verb))' is not served here", next: "use git push")
    default:
      let name = try Self.command(verb)
      try Self.refuseOtherServers(words)
      self = .command(name: name, arguments: Array(words))
    }
  }

  /// `run` and `ps:exec` may have a terminal; nothing else needs one.
  var wantsTerminal: Bool {
    guard case .command(let name, let arguments) = self else { return false }
    let options = arguments.prefix { $0 != "--" }
    return (name == "run" || name == "ps:exec") && !options.contains("--no-tty")
  }

  /// The only path that git may name: the app, with or without a slash before and `.git` after.
  private static func app(_ words: [String], of verb: String) throws(ExecRefusal) -> AppName {
    guard let path = words.first else {
      throw ExecRefusal("\(verb) needs the name of an app", next: "for example: ssh://paas@HOST/APP.git")
    }
    guard words.count == 1 else {
      throw ExecRefusal("\(verb) takes the name of an app and nothing else", next: nil)
    }
    var name = path[...]
    if name.hasPrefix("/") { name = name.dropFirst() }
    if name.hasSuffix(".git") { name = name.dropLast(4) }
    do throws(NameError) {
      return try AppName(String(name))
    } catch {
      throw ExecRefusal(error.message, next: error.nextStep)
    }
  }

  /// The command's child runs as the receiver: it must not carry the session's token elsewhere, nor reach a socket that
  /// trusts the receiver's user.
  private static func refuseOtherServers(_ arguments: ArraySlice<String>) throws(ExecRefusal) {
    let options = arguments.prefix { $0 != "--" }
    guard !options.contains(where: { $0 == "--host" || $0.hasPrefix("--host=") }) else {
      throw ExecRefusal("--host cannot be used over SSH", next: "put -- before a command of the app's own")
    }
  }

  /// What comes before the first colon. Roles of the program (`server`, `worker`, …) and commands that only make sense
  /// on the user's own machine are not in the list, so nobody reaches them over SSH.
  private static let nouns: Set<String> = [
    "access", "addons", "apps", "auth", "builds", "buildpacks", "certs", "checks", "config", "create", "cron", "deploy",
    "doctor", "domains", "drains", "explain", "help", "ips", "keys", "login", "logs", "maintenance", "metrics", "pages",
    "pg", "pipelines", "platform", "ps", "redirects", "releases", "resource", "rollback", "routing", "run", "ssh-keys",
    "storage", "tokens", "version", "webhooks", "whoami",
  ]
  /// Commands whose noun alone must stay out: `router` is a role of the program, and `git` is git's. Who may use a
  /// command, `router:restart` for example, is decided by the account that the session acts as, not here.
  private static let whole: Set<String> = ["git:remote", "router:restart"]
  private static let plain: Set<String> = ["--help", "-h", "--version"]

  private static func command(_ verb: String) throws(ExecRefusal) -> String {
    if plain.contains(verb) || whole.contains(verb) { return verb }
    let parts = verb.split(separator: ":", omittingEmptySubsequences: false)
    let wellFormed = parts.allSatisfy { part in
      !part.isEmpty && !part.hasPrefix("-")
        && part.utf8.allSatisfy { (97...122).contains($0) || $0 == UInt8(ascii: "-") }
    }
    guard wellFormed, let noun = parts.first, nouns.contains(String(noun)) else {
      throw ExecRefusal("unknown command '\(printable(verb))'", next: ExecRefusal.list)
    }
    return verb
  }
}

/// Why an exec request is refused, as the client is told on its stderr.
struct ExecRefusal: Error, Explained, Equatable {
  static let list = "`help` lists the commands"
  let message: String
  let nextStep: String?

  init(_ message: String, next: String?) {
    self.message = message
    nextStep = next
  }

  /// Usage error (docs/conventions.md: exit codes).
  var exitStatus: Int32 { 2 }
}
