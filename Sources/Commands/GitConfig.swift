import Glibc
import Linux
import Platform

/// The config file of a git repository, as far as remotes go (git-config(1)). Read and written without git.
struct GitConfig: Equatable {
  let path: String
  var lines: [String]

  /// Of the repository that holds a directory; `nil` where there is none. Throws ``SystemError``.
  static func find(from directory: String) throws -> GitConfig? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard realpath(directory, &buffer) != nil else { return nil }
    var place = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    while true {
      if let path = try configPath(of: "\(place)/.git") {
        return GitConfig(
          path: path,
          lines: try Files.text(path).split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
      }
      guard place != "/", let slash = place.lastIndex(of: "/") else { return nil }
      place = slash == place.startIndex ? "/" : String(place[..<slash])
    }
  }

  /// `.git` is a directory, or in a worktree a file that names one; a worktree shares its main repository's config.
  private static func configPath(of dotGit: String) throws -> String? {
    if Files.exists("\(dotGit)/config") { return "\(dotGit)/config" }
    guard Files.exists(dotGit), !Files.exists("\(dotGit)/.") else { return nil }
    let text = try Files.text(dotGit, limit: 64 << 10)
    guard text.hasPrefix("gitdir: ") else { return nil }
    let base = String(dotGit.dropLast("/.git".count))
    let directory = absolute(String(text.dropFirst("gitdir: ".count)), from: base)
    guard Files.exists("\(directory)/commondir") else { return "\(directory)/config" }
    return absolute(try Files.text("\(directory)/commondir"), from: directory) + "/config"
  }

  private static func absolute(_ line: String, from base: String) -> String {
    let path = String(line.prefix { $0 != "\n" })
    return path.hasPrefix("/") ? path : "\(base)/\(path)"
  }

  /// The first `url` in `[remote "NAME"]`.
  func url(ofRemote name: String) -> String? {
    section(ofRemote: name)?.lazy.compactMap { value(of: "url", in: lines[$0]) }.first
  }

  /// Sets the remote's URL; makes the remote where there is none.
  mutating func setURL(_ url: String, ofRemote name: String) {
    let line = "\turl = \(url)"
    if let section = section(ofRemote: name) {
      if let index = section.first(where: { value(of: "url", in: lines[$0]) != nil }) {
        lines[index] = line
      } else {
        lines.insert(line, at: section.lowerBound)
      }
      return
    }
    while lines.last?.isEmpty == true { lines.removeLast() }
    lines += ["[remote \"\(name)\"]", line, "\tfetch = +refs/heads/*:refs/remotes/\(name)/*", ""]
  }

  /// Replaces the file durably; it keeps its mode.
  func write() throws {
    var info = stat()
    try checked("look at '\(path)'") { stat(path, &info) }
    try Files.writeDurably(Array(lines.joined(separator: "\n").utf8), to: path, mode: info.st_mode & 0o777)
  }

  /// The lines between a remote's header and the next one.
  private func section(ofRemote name: String) -> Range<Int>? {
    guard let header = lines.firstIndex(where: { trimmed($0) == "[remote \"\(name)\"]" }) else { return nil }
    let end = lines[(header + 1)...].firstIndex { trimmed($0).hasPrefix("[") } ?? lines.count
    return header + 1..<end
  }

  private func value(of key: String, in line: String) -> String? {
    guard let equals = line.firstIndex(of: "="), trimmed(String(line[..<equals])).lowercased() == key else {
      return nil
    }
    return trimmed(String(line[line.index(after: equals)...]))
  }

  private func trimmed(_ text: String) -> String {
    let start = text.drop { $0 == " " || $0 == "\t" }
    return String(start.reversed().drop { $0 == " " || $0 == "\t" || $0 == "\r" }.reversed())
  }
}
