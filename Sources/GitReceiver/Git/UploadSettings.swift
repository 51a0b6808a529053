import CGit2

/// What a repository's owner decides about fetches (git-config(1), `uploadpack.*` and `transfer.hideRefs`).
public struct UploadSettings: Sendable, Equatable {
  /// In git's form: a prefix, `!` before it shows again, `^` is for the name as it is; the last that fits counts.
  public var hiddenRefs: [String] = []
  /// The tip of a hidden ref may be asked for.
  public var allowTipInWant = false
  /// Whatever a visible ref reaches may be asked for.
  public var allowReachableInWant = false
  /// Every object may be asked for.
  public var allowAnyInWant = false
  /// As git has it, protocol 2 lets clients ask for any object that exists. Without it, only for what refs reach.
  public var allowAnyInVersion2 = true
  public var allowFilter = false

  /// git's defaults.
  public init() {}

  /// For the platform's own repositories: what no ref reaches any more stays unseen.
  public static let managed: UploadSettings = {
    var settings = UploadSettings()
    settings.allowAnyInVersion2 = false
    return settings
  }()

  /// Whether the ref is hidden from clients.
  func hides(_ name: [UInt8]) -> Bool {
    for pattern in hiddenRefs.reversed() {
      var prefix = Array(pattern.utf8)[...]
      let shows = prefix.first == UInt8(ascii: "!")
      if shows { prefix = prefix.dropFirst() }
      if prefix.first == UInt8(ascii: "^") { prefix = prefix.dropFirst() }
      while prefix.last == UInt8(ascii: "/") { prefix = prefix.dropLast() }
      guard name.starts(with: prefix) else { continue }
      if name.count == prefix.count || name[prefix.count] == UInt8(ascii: "/") { return !shows }
    }
    return false
  }
}

extension Repository {
  /// The settings in the repository's own configuration file. Throws ``GitError`` when it cannot be read.
  func uploadSettings() throws(GitError) -> UploadSettings {
    var config: OpaquePointer?
    try git("read the configuration of '\(path)'") { git_repository_config_snapshot(&config, handle) }
    defer { git_config_free(config) }
    var settings = UploadSettings()
    settings.allowTipInWant = try flag(config, "uploadpack.allowtipsha1inwant")
    settings.allowReachableInWant = try flag(config, "uploadpack.allowreachablesha1inwant")
    settings.allowAnyInWant = try flag(config, "uploadpack.allowanysha1inwant")
    settings.allowFilter = try flag(config, "uploadpack.allowfilter")
    settings.hiddenRefs = try values(config, "^(transfer|uploadpack)\\.hiderefs$")
    return settings
  }

  private func flag(_ config: OpaquePointer?, _ name: String) throws(GitError) -> Bool {
    var value: Int32 = 0
    return try gitFound("read '\(name)'") { git_config_get_bool(&value, config, name) } && value != 0
  }

  private func values(_ config: OpaquePointer?, _ expression: String) throws(GitError) -> [String] {
    var iterator: OpaquePointer?
    try git("read the configuration of '\(path)'") { git_config_iterator_glob_new(&iterator, config, expression) }
    defer { git_config_iterator_free(iterator) }
    var values: [String] = []
    while true {
      var entry: UnsafeMutablePointer<git_config_entry>?
      var isDone = false
      try git("read the configuration of '\(path)'") {
        let code = git_config_next(&entry, iterator)
        isDone = code == GIT_ITEROVER.rawValue
        return isDone ? 0 : code
      }
      if isDone { return values }
      if let value = entry?.pointee.value { values.append(String(cString: value)) }
    }
  }
}
