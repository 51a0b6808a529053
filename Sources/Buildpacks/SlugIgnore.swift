/// The `.slugignore` of a source tree: paths that are removed before the build starts, as Heroku does
/// (https://devcenter.heroku.com/articles/slug-compiler#ignoring-files-with-slugignore). The patterns are
/// gitignore(5)'s without `!`, which Heroku does not know either: `*` and `?` stop at a slash, `**` does not, a pattern
/// with a slash in front or in its middle is anchored at the top, one with a slash at its end means directories only.
public struct SlugIgnore: Sendable, Equatable {
  private struct Pattern: Sendable, Equatable {
    /// Components of the pattern; `nil` is `**`.
    var parts: [[UInt8]?]
    var directoriesOnly: Bool
  }

  private let patterns: [Pattern]

  /// Longer files are cut at 64 KiB, more patterns than 1,000 are not read: matching stays bounded.
  public init(_ bytes: [UInt8]) {
    let lines = bytes.prefix(64 << 10).split(separator: UInt8(ascii: "\n")).prefix(1000)
    patterns = lines.compactMap(Self.pattern)
  }

  public var isEmpty: Bool { patterns.isEmpty }

  /// True when the path (relative, in bytes) is to be removed, with everything below it.
  public func matches(_ path: [UInt8], isDirectory: Bool) -> Bool {
    let names = path.split(separator: UInt8(ascii: "/"))
    return patterns.contains { pattern in
      (isDirectory || !pattern.directoriesOnly) && Self.matches(pattern.parts[...], names[...])
    }
  }

  private static func pattern(_ line: ArraySlice<UInt8>) -> Pattern? {
    var line = line
    while let last = line.last, last == 0x20 || last == 0x09 || last == 0x0D { line.removeLast() }
    guard let first = line.first, first != UInt8(ascii: "#"), first != UInt8(ascii: "!") else { return nil }
    let directoriesOnly = line.last == UInt8(ascii: "/")
    let anchored = line.dropLast().contains(UInt8(ascii: "/"))
    let components = line.split(separator: UInt8(ascii: "/")).map(Array.init)
    guard !components.isEmpty, components.count <= 64, components.allSatisfy({ $0.count <= 255 }) else { return nil }
    var parts = components.map { $0 == Array("**".utf8) ? nil : $0 }
    if !anchored { parts.insert(nil, at: 0) }
    // `a/**` means what is below `a`, not `a` itself.
    if components.last == Array("**".utf8) { parts.append(Array("*".utf8)) }
    return Pattern(parts: parts, directoriesOnly: directoriesOnly)
  }

  /// Goes back to the last `**` only, as ``Glob`` does to the last `*`: bounded however many there are.
  private static func matches(_ parts: ArraySlice<[UInt8]?>, _ names: ArraySlice<ArraySlice<UInt8>>) -> Bool {
    var (parts, names) = (parts, names)
    var star: (parts: ArraySlice<[UInt8]?>, names: ArraySlice<ArraySlice<UInt8>>)?
    while !names.isEmpty || !parts.isEmpty {
      if let part = parts.first, part == nil {
        parts = parts.dropFirst()
        star = (parts, names)
      } else if let part = parts.first, let part, let name = names.first, Glob.matches(part[...], name) {
        parts = parts.dropFirst()
        names = names.dropFirst()
      } else if let last = star, !last.names.isEmpty {
        parts = last.parts
        names = last.names.dropFirst()
        star = (parts, names)
      } else {
        return false
      }
    }
    return true
  }
}

/// fnmatch(3) for one name: `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before a character that means itself.
enum Glob {
  /// Goes back to the last `*` only, so the time is the product of the two lengths at most.
  static func matches(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
    var (pattern, name) = (pattern, name)
    var star: (pattern: ArraySlice<UInt8>, name: ArraySlice<UInt8>)?
    while !name.isEmpty || !pattern.isEmpty {
      if pattern.first == UInt8(ascii: "*") {
        pattern = pattern.dropFirst()
        star = (pattern, name)
      } else if let byte = name.first, let rest = one(pattern, byte) {
        pattern = rest
        name = name.dropFirst()
      } else if let last = star, !last.name.isEmpty {
        pattern = last.pattern
        name = last.name.dropFirst()
        star = (pattern, name)
      } else {
        return false
      }
    }
    return true
  }

  /// What is left of the pattern when its first element takes the byte; `nil` when it does not.
  private static func one(_ pattern: ArraySlice<UInt8>, _ byte: UInt8) -> ArraySlice<UInt8>? {
    guard let first = pattern.first else { return nil }
    let rest = pattern.dropFirst()
    switch first {
    case UInt8(ascii: "?"): return rest
    case UInt8(ascii: "["):
      guard let close = rest.dropFirst().firstIndex(of: UInt8(ascii: "]")) else { return byte == first ? rest : nil }
      return set(rest[..<close], holds: byte) ? rest[(close + 1)...] : nil
    case UInt8(ascii: "\\"):
      guard let escaped = rest.first else { return byte == first ? rest : nil }
      return byte == escaped ? rest.dropFirst() : nil
    default: return byte == first ? rest : nil
    }
  }

  private static func set(_ members: ArraySlice<UInt8>, holds byte: UInt8) -> Bool {
    let negated = members.first == UInt8(ascii: "!") || members.first == UInt8(ascii: "^")
    var members = negated ? members.dropFirst() : members
    var found = false
    while let low = members.first {
      let rest = members.dropFirst()
      if rest.first == UInt8(ascii: "-"), let high = rest.dropFirst().first {
        found = found || (low <= high && (low...high).contains(byte))
        members = rest.dropFirst(2)
      } else {
        found = found || low == byte
        members = rest
      }
    }
    return found != negated
  }
}
