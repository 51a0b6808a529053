import ArgumentParser
import Client
import Glibc
import Linux
import Platform
import Wire

struct Builds: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "builds", abstract: "List an app's builds.")

  @Option(name: [.short, .customLong("num")], help: "How many.") var number = 15
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let builds = try await Build.all(of: app).prefix(max(0, number))
    if json { return try Console.json(Array(builds)) }
    if builds.isEmpty { return Console.note("\(app.name) has no builds.\n") }
    let rows = builds.map { build in
      [
        build.id, build.status, build.source_blob.version.map { String($0.prefix(7)) } ?? "", build.release?.name ?? "",
        build.user.email, Moment.shown(build.created_at),
      ]
    }
    Console.out(Layout.titled("\(app.name) Builds", Layout.columns(rows)))
  }
}

struct BuildsInfo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "builds:info", abstract: "Show a build; without one, the newest.")

  @Argument(help: "The build's id.") var build: String?
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let build = try await Build.find(build, of: try options.selected())
    if json { return try Console.json(build) }
    var pairs = [
      ("Status", build.status), ("Version", build.source_blob.version ?? ""), ("By", build.user.email),
      ("When", Moment.shown(build.created_at)), ("Buildpacks", build.buildpacks.joined(separator: ", ")),
    ]
    if let release = build.release { pairs.append(("Release", release.name)) }
    if let slug = build.slug { pairs.append(("Slug", "\(slug.id) (\(slug.size) bytes)")) }
    if let failure = build.failure { pairs.append(("Failure", failure)) }
    Console.out(Layout.titled("Build \(build.id)", Layout.pairs(pairs)))
  }
}

struct BuildsOutput: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "builds:output", abstract: "Print a build's output, and follow it to its end.")

  @Argument(help: "The build's id; without it, the newest.") var build: String?
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    try await Build.follow(try await Build.find(build, of: app).id, of: app)
  }
}

struct BuildsCreate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "builds:create", abstract: "Build and deploy a tarball.", aliases: ["deploy"])

  @Option(help: ArgumentHelp("A tar file; '-' reads standard input.", valueName: "file")) var tar = "-"
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let file = try openTar(.current)
    let request = ClientRequest(
      .post, app.path("/builds"), headers: ["Content-Type": "application/x-tar"], body: .descriptor(file))
    let build = try await app.client.call(request).decoded(as: BuildResource.self)
    try await Build.follow(build.id, of: app)
  }

  private func openTar(_ environment: CommandEnvironment) throws -> Int32 {
    if tar == "-" { return STDIN_FILENO }
    if environment.isOverSSH {
      throw CommandError(
        .usage, "files here are not yours over SSH", next: "send it: ssh … builds:create -a APP < app.tar")
    }
    if Files.exists("\(tar)/.") {
      throw CommandError(
        .usage, "'\(printable(tar))' is a directory",
        next: "tar -C \(ShellWords.quoted(tar)) -c . | paas builds:create -a APP")
    }
    return try checked("open '\(printable(tar))'") { open(tar, O_RDONLY | O_CLOEXEC) }
  }
}

/// What the build commands share.
enum Build {
  /// Newest first: ids sort by time.
  static func all(of app: SelectedApp) async throws -> [BuildResource] {
    let builds: [BuildResource] = try await app.client.get(app.path("/builds"))
    return builds.sorted { $0.id > $1.id }
  }

  static func find(_ id: String?, of app: SelectedApp) async throws -> BuildResource {
    if let id { return try await app.client.get(app.path("/builds/\(percentEncoded(id))")) }
    guard let newest = try await all(of: app).first else {
      throw CommandError(.notFound, "\(app.name) has no builds", next: "deploy it: git push paas main")
    }
    return newest
  }

  /// Prints a build's output until its end; a lost connection is taken up where it broke. Throws the build's status.
  static func follow(_ build: String, of app: SelectedApp) async throws {
    var offset = 0
    var triesLeft = 5
    while true {
      let start = offset
      do {
        try await Records.printed(
          ClientRequest(.get, app.path("/builds/\(percentEncoded(build))/output?offset=\(start)")), app.client
        ) { offset += $0 }
        return
      } catch ClientError.connectionLost where triesLeft > 0 {
        if offset > start { triesLeft = 5 }
        triesLeft -= 1
        try await Task.sleep(for: .milliseconds(500))
      } catch ClientError.notRunning where offset > 0 && triesLeft > 0 {
        triesLeft -= 1
        try await Task.sleep(for: .seconds(1))
      }
    }
  }
}
