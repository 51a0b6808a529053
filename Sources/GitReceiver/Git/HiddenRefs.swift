/// Refs that a client is not shown and may not touch (`receive.hideRefs`, `transfer.hideRefs`; git-config(1)).
struct HiddenRefs: Equatable, Sendable {
  private struct Rule: Equatable, Sendable {
    var prefix: [UInt8]
    var hides: Bool
  }
  private var rules: [Rule] = []

  /// The patterns in the order in which they stand in the configuration; the last one that fits decides. `!` before a
  /// pattern shows what an earlier one hides; `^` compares with the full name, which without namespaces is the name.
  init(_ patterns: [String]) {
    rules = patterns.map { pattern in
      var text = pattern[...]
      let hides = !text.hasPrefix("!")
      if !hides { text = text.dropFirst() }
      if text.hasPrefix("^") { text = text.dropFirst() }
      while text.hasSuffix("/") { text = text.dropLast() }
      return Rule(prefix: Array(text.utf8), hides: hides)
    }
  }

  func hides(_ name: [UInt8]) -> Bool {
    for rule in rules.reversed() where name.starts(with: rule.prefix) {
      let next = name.dropFirst(rule.prefix.count).first
      if next == nil || next == UInt8(ascii: "/") { return rule.hides }
    }
    return false
  }
}
