import CGit2
import Glibc
import Linux

/// Git's configuration as a list: later entries overrule earlier ones (git-config(1), "FILES").
struct GitConfig: Sendable {
  struct Entry: Equatable, Sendable {
    /// Section and name in lower case, a subsection as it stands.
    var key: String
    /// `nil`: the name stands alone, which means true.
    var value: String?
  }

  private(set) var entries: [Entry]

  init(_ entries: [Entry] = []) { self.entries = entries }

  /// What the repository at `directory` (where its `config` lies) says, on top of what the system's and the user's files
  /// say, as git finds these by `environment`. Throws ``GitError``.
  static func read(_ directory: String, environment: [String: String]) throws -> GitConfig {
    GitConfig(try read(outside(environment) + [(GIT_CONFIG_LEVEL_LOCAL, "\(directory)/config")]))
  }

  /// Only what does not come from the repository itself: what it is not trusted to say of itself.
  static func readOutside(environment: [String: String]) throws -> GitConfig {
    GitConfig(try read(outside(environment)))
  }

  private static func outside(_ environment: [String: String]) -> [(git_config_level_t, String)] {
    var files: [(git_config_level_t, String)] = []
    if !isTrue(environment["GIT_CONFIG_NOSYSTEM"]) {
      files.append((GIT_CONFIG_LEVEL_SYSTEM, environment["GIT_CONFIG_SYSTEM"] ?? "/etc/gitconfig"))
    }
    if let global = environment["GIT_CONFIG_GLOBAL"] { return files + [(GIT_CONFIG_LEVEL_GLOBAL, global)] }
    if let home = environment["HOME"] {
      let shared = environment["XDG_CONFIG_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(home)/.config"
      files += [(GIT_CONFIG_LEVEL_XDG, "\(shared)/git/config"), (GIT_CONFIG_LEVEL_GLOBAL, "\(home)/.gitconfig")]
    }
    return files
  }

  private static func isTrue(_ value: String?) -> Bool { value.flatMap { bool($0) } ?? false }

  /// One library object per file: libgit2's own order among several is the reverse.
  private static func read(_ files: [(git_config_level_t, String)]) throws -> [Entry] {
    try LibGit2.start()
    return try files.filter { access($0.1, R_OK) == 0 }.flatMap { level, path in
      var handle: OpaquePointer?
      try git("make a configuration") { git_config_new(&handle) }
      defer { git_config_free(handle) }
      try git("read '\(path)'") { git_config_add_file_ondisk(handle, path, level, nil, 1) }
      return try entries(handle, path)
    }
  }

  private static func entries(_ handle: OpaquePointer?, _ path: String) throws -> [Entry] {
    var iterator: OpaquePointer?
    try git("read '\(path)'") { git_config_iterator_new(&iterator, handle) }
    defer { git_config_iterator_free(iterator) }
    var found: [Entry] = []
    while true {
      var entry: UnsafeMutablePointer<git_config_entry>?
      var done = false
      try git("read '\(path)'") {
        let code = git_config_next(&entry, iterator)
        done = code == GIT_ITEROVER.rawValue
        return done ? 0 : code
      }
      guard !done, let entry else { return found }
      found.append(
        Entry(key: String(cString: entry.pointee.name), value: entry.pointee.value.map { String(cString: $0) }))
    }
  }
}

// MARK: Values

extension GitConfig {
  /// All values of a key, in order; `nil` stands for a name without a value.
  func all(_ key: String) -> [String?] { entries.filter { $0.key == key }.map(\.value) }

  /// The last one; a name without a value counts as "true".
  func last(_ key: String) -> String? { entries.last { $0.key == key }.map { $0.value ?? "true" } }

  /// The first of the keys that is set, as true or false. Throws ``GitError`` in git's words for anything else.
  func bool(_ keys: String...) throws(GitError) -> Bool? {
    for key in keys {
      guard let text = last(key) else { continue }
      guard let value = Self.bool(text) else {
        throw GitError(.internalError, "bad boolean config value '\(text)' for '\(key)'")
      }
      return value
    }
    return nil
  }

  /// A number with `k`, `m` or `g` behind it. Throws ``GitError`` in git's words for anything else.
  func number(_ key: String) throws(GitError) -> Int64? {
    guard let text = last(key) else { return nil }
    guard let value = Self.number(text) else {
      throw GitError(.internalError, "bad numeric config value '\(text)' for '\(key)'")
    }
    return value
  }

  static func bool(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on": true
    case "false", "no", "off", "": false
    default: number(text).map { $0 != 0 }
    }
  }

  static func number(_ text: String) -> Int64? {
    let units: [Character: Int64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
    let unit = text.last.flatMap { units[Character($0.lowercased())] }
    guard let count = Int64(unit == nil ? text[...] : text.dropLast()) else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: unit ?? 1)
    return overflow ? nil : product
  }
}
