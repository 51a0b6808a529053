import Platform
import Wire

/// `balancing=round-robin body-limit=10m idle=55s`: settings as people write them.
enum RoutingWords {
  /// Names as they are typed, and as the API has them.
  static let names: KeyValuePairs = [
    "balancing": "balancing", "sticky": "sticky", "body-limit": "body_limit", "concurrency": "concurrency",
    "queue": "queue", "first-byte": "first_byte_seconds", "idle": "idle_seconds", "logs": "logs",
  ]

  static func update(_ words: [String]) throws -> RoutingUpdate {
    var update = RoutingUpdate()
    for word in words {
      guard let equals = word.firstIndex(of: "=") else {
        throw CommandError(
          .usage, "'\(printable(word))' is not NAME=VALUE", next: "for example: paas routing:set sticky=on idle=55s")
      }
      let name = String(word[..<equals])
      let value = String(word[word.index(after: equals)...])
      switch name {
      case "balancing": update.balancing = value
      case "sticky": update.sticky = try flag(value, name)
      case "logs": update.logs = try flag(value, name)
      case "body-limit": update.body_limit = try size(value, name)
      case "concurrency": update.concurrency = try number(value, name)
      case "queue": update.queue = try number(value, name)
      case "first-byte": update.first_byte_seconds = try seconds(value, name)
      case "idle": update.idle_seconds = try seconds(value, name)
      default: throw unknown(name)
      }
    }
    return update
  }

  static func unset(_ words: [String]) throws -> RoutingUpdate {
    var update = RoutingUpdate()
    update.unset = try words.map { word in
      guard let known = names.first(where: { $0.key == word }) else { throw unknown(word) }
      return known.value
    }
    return update
  }

  private static func unknown(_ name: String) -> CommandError {
    CommandError(
      .usage, "there is no setting '\(printable(name))'",
      next: "settings are " + names.map(\.key).joined(separator: ", "))
  }

  private static func flag(_ text: String, _ name: String) throws -> Bool {
    switch text {
    case "on", "true", "yes", "1": return true
    case "off", "false", "no", "0": return false
    default: throw CommandError(.usage, "'\(name)' is on or off, not '\(printable(text))'")
    }
  }

  private static func number(_ text: String, _ name: String) throws -> Int {
    guard let value = Int(text), value > 0 else {
      throw CommandError(.usage, "'\(name)' must be a number from 1 up, not '\(printable(text))'")
    }
    return value
  }

  /// `10m`: bytes, or k, m, g of 1024.
  static func size(_ text: String, _ name: String) throws -> Int {
    let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
    let factor = text.last.flatMap { units[Character($0.lowercased())] }
    let (value, over) = try number(factor == nil ? text : String(text.dropLast()), name)
      .multipliedReportingOverflow(by: factor ?? 1)
    if over { throw CommandError(.usage, "'\(name)' is too large") }
    return value
  }

  /// `55s`, `2m`, or seconds.
  static func seconds(_ text: String, _ name: String) throws -> Int {
    let factor = text.hasSuffix("m") ? 60 : 1
    let digits = text.hasSuffix("s") || text.hasSuffix("m") ? String(text.dropLast()) : text
    let (value, over) = try number(digits, name).multipliedReportingOverflow(by: factor)
    if over { throw CommandError(.usage, "'\(name)' is too large") }
    return value
  }

  /// As `paas routing` shows a size.
  static func shown(bytes: Int) -> String {
    for (unit, size) in [("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)] where bytes >= size && bytes % size == 0 {
      return "\(bytes / size)\(unit)"
    }
    return "\(bytes)"
  }
}
