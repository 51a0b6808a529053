import Linux
import Platform

/// Which app a command is about: flag, then `PAAS_APP`, then the git remote of the current directory.
enum AppSelection {
  static let defaultRemote = "paas"

  /// Throws ``CommandError`` when nothing names an app, `NameError` when what names it is no name.
  static func app(flag: String?, remote: String?, _ environment: CommandEnvironment) throws -> String {
    if let flag { return try checked(flag) }
    if remote == nil, let app = environment.app { return try checked(app) }
    if environment.isOverSSH {
      throw CommandError(.usage, "no app was named", next: "add -a APP, or write the app's name first")
    }
    guard let configuration = try GitConfig.find(from: environment.directory) else {
      throw CommandError(.usage, "no app was named, and this directory is in no git repository", next: "add -a APP")
    }
    let name = remote ?? defaultRemote
    guard let url = configuration.url(ofRemote: name) else {
      throw CommandError(
        .usage, "no app was named, and this repository has no remote '\(printable(name))'",
        next: "add -a APP, or the remote with `paas git:remote -a APP`")
    }
    guard let app = appName(inURL: url) else {
      throw CommandError(.usage, "the remote '\(printable(name))' points to '\(printable(url))', which names no app")
    }
    return app
  }

  /// The app of `ssh://paas@HOST:2222/APP.git` and `paas@HOST:APP.git`; `nil` for other URLs.
  static func appName(inURL url: String) -> String? {
    let last = url.split(whereSeparator: { $0 == "/" || $0 == ":" }).last.map(String.init) ?? ""
    let name = last.hasSuffix(".git") ? String(last.dropLast(4)) : last
    do throws(NameError) { return try AppName(name).description } catch { return nil }
  }

  /// An app's name, or its id.
  private static func checked(_ text: String) throws -> String {
    AppID(text) == nil ? try AppName(text).description : text
  }
}
