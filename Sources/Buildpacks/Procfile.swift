public import Platform

/// The `Procfile` of a source tree: which process types the app has, and what each runs.
/// One `TYPE: COMMAND` per line (https://devcenter.heroku.com/articles/procfile); blank lines and `#` comments are
/// skipped. Unlike Heroku's, any other line is an error: a typing mistake must not make a process type disappear.
public struct Procfile: Sendable, Equatable {
  public let processTypes: ProcessTypes
  /// The types in the order of the file.
  public let order: [ProcessType]

  /// 64 KiB of file, 50 types, 8 KiB for a command.
  static let sizeLimit = 64 << 10
  private static let typeLimit = 50
  private static let commandLimit = 8 << 10

  /// Throws ``Platform/DeployFailure`` with B07 and the line's number.
  public init(_ bytes: [UInt8]) throws(DeployFailure) {
    guard bytes.count <= Self.sizeLimit else { throw Self.refused("is larger than 64 KiB") }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Self.refused("is not UTF-8 text") }
    var types: ProcessTypes = [:]
    var order: [ProcessType] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      guard let (type, command) = try Self.entry(line, number: index + 1) else { continue }
      guard types.updateValue(command, forKey: type) == nil else {
        throw Self.refused("line \(index + 1): process type '\(type)' was declared before")
      }
      order.append(type)
    }
    guard order.count <= Self.typeLimit else { throw Self.refused("declares more than \(Self.typeLimit) types") }
    processTypes = types
    self.order = order
  }

  private static func entry(_ line: Substring, number: Int) throws(DeployFailure) -> (ProcessType, String)? {
    let line = line.trimmed
    if line.isEmpty || line.hasPrefix("#") { return nil }
    guard let colon = line.firstIndex(of: ":") else {
      throw refused("line \(number): '\(printable(String(line)))' is not of the form TYPE: COMMAND")
    }
    let command = line[line.index(after: colon)...].trimmed
    guard !command.isEmpty else { throw refused("line \(number) declares no command") }
    guard command.utf8.count <= commandLimit, !command.utf8.contains(0) else {
      throw refused("line \(number): the command is longer than 8 KiB or holds a NUL")
    }
    do throws(NameError) {
      return (try ProcessType(String(line[..<colon].trimmed)), String(command))
    } catch {
      throw refused("line \(number): \(error.message)")
    }
  }

  private static func refused(_ reason: String) -> DeployFailure {
    DeployFailure(
      .source, .badProcfile, "Procfile \(reason)",
      next: "write one process type per line, for example 'web: gunicorn app:app', commit and push again")
  }
}

extension Substring {
  /// Without spaces, tabs and carriage returns at both ends.
  var trimmed: Substring {
    let inner = drop(while: \.isWhitespace)
    guard let last = inner.lastIndex(where: { !$0.isWhitespace }) else { return inner.prefix(0) }
    return inner[...last]
  }
}
