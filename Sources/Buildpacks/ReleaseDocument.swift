internal import Platform

/// What `bin/release` prints: YAML, of which the buildpack API uses only `default_process_types`, a flat map of names
/// to commands. This reads that map and skips the rest; a command is plain or in one pair of quotes.
struct ReleaseDocument: Equatable {
  let processTypes: ProcessTypes

  /// Throws ``Platform/DeployFailure`` (B02): what a buildpack prints wrong is its fault, not the app's.
  init(_ bytes: [UInt8]) throws(DeployFailure) {
    var types: ProcessTypes = [:]
    var inside = false
    for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
      let content = line.trimmed
      if content.isEmpty || content.hasPrefix("#") || content == "---" { continue }
      guard line.first == " " || line.first == "\t" else {
        inside = content.hasPrefix("default_process_types:")
        continue
      }
      guard inside else { continue }
      guard let colon = content.firstIndex(of: ":") else { throw Self.unreadable(content) }
      let command = Self.unquoted(content[content.index(after: colon)...].trimmed)
      do throws(NameError) {
        let type = try ProcessType(Self.unquoted(content[..<colon].trimmed))
        if !command.isEmpty, !command.utf8.contains(0) { types[type] = command }
      } catch {
        throw Self.unreadable(content)
      }
    }
    processTypes = types
  }

  private static func unquoted(_ text: Substring) -> String {
    guard text.count >= 2, let first = text.first, first == text.last else { return String(text) }
    let inner = String(text.dropFirst().dropLast())
    switch first {
    case "'": return inner.split(separator: "''", omittingEmptySubsequences: false).joined(separator: "'")
    case "\"": return unescaped(inner)
    default: return String(text)
    }
  }

  private static func unescaped(_ text: String) -> String {
    var result = ""
    var escaped = false
    for character in text {
      if !escaped, character == "\\" {
        escaped = true
      } else {
        result.append(character)
        escaped = false
      }
    }
    return result
  }

  private static func unreadable(_ line: Substring) -> DeployFailure {
    DeployFailure(
      .build, .buildFailed, "bin/release of the buildpack printed '\(printable(String(line)))', no process type",
      next: "tell the buildpack's author")
  }
}
