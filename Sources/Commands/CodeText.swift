import Platform

/// One code as `paas explain` and docs/codes.md tell it.
struct CodeText: Equatable {
  let code: String
  let title: String
  let meaning: String
  let next: String

  init(_ code: String, _ title: String, _ meaning: String, next: String) {
    self.code = code
    self.title = title
    self.meaning = meaning
    self.next = next
  }

  /// `=== B02: build failed`, the meaning, the next step.
  var shown: String { Layout.titled("\(code): \(title)", "\(meaning)\n\nNext: \(next)\n") }

  /// Every code, in the order of the page.
  static let all = builds + boots + requests + limits + names

  /// docs/codes.md, which a test compares with the file.
  static var page: String {
    func section(_ title: String, _ texts: [CodeText]) -> String {
      "## \(title)\n\n| code | what | meaning | next |\n|---|---|---|---|\n"
        + texts.map { "| \($0.code) | \($0.title) | \($0.meaning) | \($0.next) |\n" }.joined()
    }
    return """
      # Codes

      Stable codes that stand in push output, router log lines and error pages. H, R and L codes are Heroku's; B and D
      codes are ours. `paas explain CODE` prints the same text.


      """
        + [
          section("Between a push and a running release", builds), section("Starting and stopping", boots),
          section("Requests", requests), section("Memory and logs", limits), section("Names", names),
        ].joined(separator: "\n")
  }

  private static let builds = [
    CodeText(
      "B01", "no buildpack",
      "No buildpack recognises the source: none of the files they look for is at the top of the tree.",
      next: "add requirements.txt, package.json or Gemfile at the top of the repository, commit and push again."),
    CodeText(
      "B02", "build failed", "A buildpack's compile step ended with an error; its last lines are in the push output.",
      next: "correct what the last lines name, commit and push again; `paas builds:output` shows the whole output."),
    CodeText(
      "B03", "source refused", "The source breaks a limit, or holds a path or a file that cannot be unpacked safely.",
      next: "remove or correct the file that the message names, commit and push again."),
    CodeText(
      "B04", "slug too large", "The built app is larger than the limit when compressed.",
      next: "list files that the app does not need in .slugignore, and remove unused dependencies."),
    CodeText(
      "B05", "hook refused", "A pre-deploy hook of this installation's operator refused the release.",
      next: "read the hook's output in the push output; ask the operator if it does not say enough."),
    CodeText(
      "B06", "release phase failed",
      "The command of the `release` process type ended with an error, so the release did not start.",
      next: "correct the command or what it runs, for example a migration, and push again."),
    CodeText(
      "B07", "bad Procfile", "A line of the Procfile is not `type: command`.",
      next: "correct the line that the message names, commit and push again."),
    CodeText(
      "B08", "superseded", "A newer push to the same app took this build's place before it was committed.",
      next: "nothing: the newer push is being deployed."),
    CodeText(
      "B09", "platform restarted", "The platform was restarted while the build ran; the old release goes on serving.",
      next: "push again."),
    CodeText(
      "B10", "overtaken", "The deployed commit changed while the build ran, by another push or a rollback.",
      next: "look at `paas releases`, then push again if this commit should still go live."),
    CodeText(
      "B11", "no sandbox", "The machine lacks what apps are isolated with, so nothing is built or started.",
      next: "`paas doctor` says what is missing and how to get it."),
    CodeText(
      "B12", "build timeout", "The build ran into its time limit and was ended.",
      next: "find the slow step with `paas builds:output`; a step that waits for input never ends."),
    CodeText("B13", "cancelled", "Somebody cancelled the build.", next: "push again when it should run."),
  ]

  private static let boots = [
    CodeText(
      "H10", "app crashed", "A process of the app ended by itself while it started, or crashed later.",
      next: "`paas logs` shows its last lines; a missing config var or a failing import are the usual reasons."),
    CodeText(
      "H20", "boot timeout", "A request waited for the app's web process to start, and it did not in time.",
      next: "see R10."),
    CodeText(
      "R10", "boot timeout", "The web process did not listen on $PORT within 60 seconds of its start.",
      next: "listen on 0.0.0.0 and the port in $PORT, and move slow work out of the start."),
    CodeText(
      "R12", "exit timeout", "The process did not end within 30 seconds of SIGTERM and was killed.",
      next: "handle SIGTERM: stop taking work, finish what is running, exit."),
    CodeText(
      "R17", "slug checksum",
      "The slug on disk is not the one that was built: its SHA-256 differs. It was not started.",
      next: "push again to build it anew; the operator should check the disk."),
  ]

  private static let requests = [
    CodeText(
      "H11", "backlog too deep", "More requests wait for the app than its queue takes.",
      next: "start more processes: `paas ps:scale web=N`, make requests faster, or raise `paas routing:set queue=N`."),
    CodeText(
      "H12", "request timeout", "The app sent no first byte of its response within 30 seconds.",
      next: "move long work to a worker process, start the response early, or `paas routing:set first-byte=60s`."),
    CodeText(
      "H13", "connection closed without response", "The app closed the connection before it sent a response.",
      next: "`paas logs` around the request; the process may have crashed or a server limit may be too low."),
    CodeText(
      "H14", "no web processes", "No web process is meant to run.",
      next: "`paas ps:scale web=1`, and a `web` line in the Procfile."),
    CodeText(
      "H15", "idle connection", "A connection sent nothing for 55 seconds in the middle of a response.",
      next: "send something at least every 55 seconds on long responses, or `paas routing:set idle=120s`."),
    CodeText(
      "H17", "bad response", "The app's response is not valid HTTP.",
      next: "check what writes the response: headers with line breaks and wrong lengths are the usual reasons."),
    CodeText(
      "H18", "request interrupted", "The connection broke while a request or a response was on its way.",
      next: "`paas logs` around the request; the process may have crashed."),
    CodeText(
      "H19", "connect timeout", "The app did not take the connection in time.",
      next: "`paas ps` and `paas logs`; the process may be overloaded."),
    CodeText(
      "H21", "connection refused", "The app refused the connection: nothing listens on its port any more.",
      next: "`paas ps` and `paas logs`; `paas ps:restart` starts it again."),
    CodeText(
      "H27", "client gone", "The client closed the connection before the app responded.",
      next: "nothing, if it is rare; else make the request faster."),
    CodeText(
      "H28", "client idle", "The client sent the body of its request too slowly, or stopped.",
      next: "nothing: it is the client's connection; answered with 408."),
    CodeText("H80", "maintenance", "The app is in maintenance mode.", next: "`paas maintenance:off` ends it."),
    CodeText("H81", "blank app", "Nothing was ever deployed to this app.", next: "git push paas main"),
    CodeText(
      "H99", "platform error", "Something failed that is not the app's fault.",
      next: "try again; the operator finds the reason in the server's log."),
  ]

  private static let names = [
    CodeText(
      "D01", "name clash",
      "A claim of a host name was refused: it is another app's or the platform's, or overlaps with one that is.",
      next: "choose another name, or have it removed where it is: `paas domains` and `paas domains:remove`.")
  ]

  private static let limits = [
    CodeText(
      "R14", "memory quota exceeded", "The process uses more memory than its limit and has become slow.",
      next: "look for a leak, lower the number of threads or workers, or raise the limit."),
    CodeText(
      "R15", "memory quota vastly exceeded", "The process used far more memory than its limit and was killed.",
      next: "look for a leak, lower the number of threads or workers, or raise the limit."),
    CodeText(
      "L10", "log lines dropped", "Log lines came faster than they could be kept; the line says how many were dropped.",
      next: "log less, or send logs to a drain."),
  ]
}
