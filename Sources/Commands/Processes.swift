import ArgumentParser
import Client
import Platform
import Wire

struct Processes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "ps", abstract: "List an app's running processes.")

  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let dynos: [DynoResource] = try await app.client.get(app.path("/dynos"))
    if json { return try Console.json(dynos) }
    if dynos.isEmpty { return Console.note("\(app.name) has no running processes.\n") }
    Console.out(Self.text(dynos))
  }

  /// One block per process type, `web` first.
  static func text(_ dynos: [DynoResource], now: Timestamp = .now) -> String {
    let groups = Dictionary(grouping: dynos, by: \.type).sorted { left, right in
      (left.key == "web" ? 0 : 1, left.key) < (right.key == "web" ? 0 : 1, right.key)
    }
    return groups.map { type, dynos in
      let lines = dynos.sorted { index($0) < index($1) }.map { dyno in
        let since = "\(Moment.shown(dyno.updated_at)) (\(Moment.ago(dyno.updated_at, now: now)))"
        return "\(dyno.name): \(dyno.state) \(since)\n"
      }
      return Layout.titled("\(type): \(dynos.first?.command ?? "") (\(dynos.count))", lines.joined())
    }.joined(separator: "\n")
  }

  private static func index(_ dyno: DynoResource) -> Int {
    dyno.name.split(separator: ".").last.flatMap { Int($0) } ?? 0
  }
}

struct ProcessesScale: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps:scale", abstract: "Say how many of each process type run; without words, show it.",
    discussion: "For example: paas ps:scale web=3 worker+1")

  @Argument(help: ArgumentHelp("TYPE=N, TYPE+N or TYPE-N.", valueName: "change")) var changes: [String] = []
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let updates = try changes.map(Self.change)
    guard !updates.isEmpty else {
      let formation: [FormationResource] = try await app.client.get(app.path("/formation"))
      if json { return try Console.json(formation) }
      return Console.out(formation.map { "\($0.type)=\($0.quantity)" }.joined(separator: " ") + "\n")
    }
    let formation: [FormationResource] = try await Console.progress("Scaling") {
      try await app.client.patch(app.path("/formation"), FormationUpdate(updates: updates))
    } done: {
      Self.done($0, updates)
    }
    if json { try Console.json(formation) }
  }

  /// `done, now running web at 3, worker at 1`, in the order of the command line.
  static func done(_ formation: [FormationResource], _ updates: [FormationUpdate.Change]) -> String {
    let running = updates.compactMap { update in formation.first { $0.type == update.type } }
    return "done, now running " + running.map { "\($0.type) at \($0.quantity)" }.joined(separator: ", ")
  }

  static func change(_ text: String) throws -> FormationUpdate.Change {
    // A type may hold '-': the sign is the last one that only digits follow.
    guard let sign = text.lastIndex(where: { "=+-".contains($0) }), let number = Int(text[text.index(after: sign)...]),
      number >= 0, number <= 1000, text[text.index(after: sign)...].allSatisfy(\.isNumber)
    else {
      throw CommandError(
        .usage, "'\(printable(text))' is not TYPE=N, TYPE+N or TYPE-N with N up to 1000", next: "for example: web=2")
    }
    let type = try ProcessType(String(text[..<sign]))
    let isRelative = text[sign] != "="
    return FormationUpdate.Change(
      type: type.description, quantity: text[sign] == "-" ? -number : number, relative: isRelative)
  }
}

struct ProcessesRestart: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps:restart", abstract: "Restart an app, a process type or one process.")

  @Argument(help: "web, or web.1; without it, all.") var process: String?
  @OptionGroup var options: AppOptions

  func run() async throws {
    let app = try options.selected()
    let path = app.path("/dynos") + (process.map { "/\(percentEncoded($0))" } ?? "")
    let what = process.map { "\(printable($0)) on \(app.name)" } ?? app.name
    _ = try await Console.progress("Restarting \(what)") { try await app.client.delete(path) }
  }
}
