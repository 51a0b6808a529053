import ArgumentParser
import Client
import Platform
import Wire

struct Releases: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "releases", abstract: "List an app's releases.")

  @Option(name: [.short, .customLong("num")], help: "How many.") var number = 15
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let all: [ReleaseResource] = try await app.client.get(app.path("/releases"))
    let newest = Array(all.sorted { $0.version > $1.version }.prefix(max(0, number)))
    if json { return try Console.json(newest) }
    guard let first = all.first else { return Console.note("\(app.name) has no releases.\n") }
    Console.out(Self.text(newest, app: first.app.name, current: all.first(where: \.current)?.version))
  }

  /// Newest first. The third column says `failed` or `pending`, and is empty for releases that went well.
  static func text(_ releases: [ReleaseResource], app: String, current: Int?) -> String {
    let rows = releases.map { release in
      [
        "v\(release.version)", release.description, release.status == "succeeded" ? "" : release.status,
        release.user.email, Moment.shown(release.created_at),
      ]
    }
    return Layout.titled("\(app) Releases" + (current.map { " - Current: v\($0)" } ?? ""), Layout.columns(rows))
  }
}

struct ReleasesInfo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "releases:info", abstract: "Show a release; without one, the current.")

  @Argument(help: "v3, 3, or a release's id.") var release: String?
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let shown: ReleaseResource
    if let release {
      shown = try await app.client.get(app.path("/releases/\(percentEncoded(release))"))
    } else {
      let all: [ReleaseResource] = try await app.client.get(app.path("/releases"))
      guard let newest = all.first(where: \.current) ?? all.max(by: { $0.version < $1.version }) else {
        throw CommandError(.notFound, "\(app.name) has no releases", next: "deploy it: git push paas main")
      }
      shown = newest
    }
    if json { return try Console.json(shown) }
    Console.out(Self.text(shown))
  }

  static func text(_ release: ReleaseResource) -> String {
    var pairs = [
      ("App", release.app.name), ("Change", release.description), ("By", release.user.email),
      ("When", Moment.shown(release.created_at)), ("Status", release.status + (release.current ? " (current)" : "")),
    ]
    if let failure = release.failure { pairs.append(("Failure", failure)) }
    if let commit = release.commit { pairs.append(("Commit", commit)) }
    if let slug = release.slug { pairs.append(("Slug", "\(slug.id) (\(slug.size) bytes)")) }
    if let stack = release.stack { pairs.append(("Stack", stack)) }
    for (type, command) in release.process_types.sorted(by: { $0.key < $1.key }) { pairs.append((type, command)) }
    return Layout.titled("Release v\(release.version)", Layout.pairs(pairs))
  }
}

struct ReleasesRollback: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "releases:rollback", abstract: "Go back to an earlier release; without one, to the one before.",
    aliases: ["rollback"])

  @Argument(help: "v3, 3, or a release's id.") var release: String?
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let wanted = release.map { ReleaseVersion(parsing: $0)?.description ?? printable($0) }
    let action = "Rolling back \(app.name)" + (wanted.map { " to \($0)" } ?? "")
    // Without a word the server chooses; then the line is printed whole, when it is known.
    let made: ReleaseResource
    if wanted == nil {
      made = try await app.client.post(app.path("/releases"), RollbackRequest(release: nil))
      Console.note("\(action)\(Self.target(made).map { " to \($0)" } ?? "")... done, v\(made.version)\n")
    } else {
      made = try await Console.progress(action) {
        try await app.client.post(app.path("/releases"), RollbackRequest(release: release), as: ReleaseResource.self)
      } done: {
        "done, v\($0.version)"
      }
    }
    if json { try Console.json(made) }
  }

  /// `v3` of `Rollback to v3`.
  static func target(_ release: ReleaseResource) -> String? {
    release.description.split(separator: " ").last.map(String.init).flatMap { ReleaseVersion(parsing: $0)?.description }
  }
}
