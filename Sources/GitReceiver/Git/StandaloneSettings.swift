/// What a repository's configuration says about being pushed to (git-config(1), `receive.*`), for `paas receive-pack`.
/// Left out on purpose: `receive.unpackLimit` (every push stays a pack), `receive.certNonceSeed` (no signed pushes),
/// `receive.autogc`, `receive.updateServerInfo`, `receive.procReceiveRefs`, `receive.fsck.*`.
struct StandaloneSettings: Sendable {
  /// What happens to a branch that is checked out.
  enum CurrentBranch: Equatable, Sendable {
    case ignore, warn, refuse, updateInstead
    /// Refused as well, with advice.
    case unconfigured
  }

  var denyDeletes = false
  var denyNonFastForwards = false
  var denyCurrentBranch = CurrentBranch.unconfigured
  var denyDeleteCurrent = CurrentBranch.unconfigured
  var fsckObjects = false
  /// Bytes of a pack; `nil`: the limit of ``PackLimits``.
  var maximumInputSize: UInt64?
  var hidden = HiddenRefs([])
  var shallowUpdate = false
  var advertisePushOptions = false
  var advertiseAtomic = true
  /// Silence on the wire after which an empty packet is sent; `nil`: never.
  var keepAlive: Duration? = .seconds(5)
  /// Where hooks lie, absolute or relative to the repository.
  var hooksPath = "hooks"
  /// Whether refs get logs: `nil`, by whether there is a work tree.
  var logAllRefUpdates: RefLogs.Rule?
  var isBare: Bool?
  /// How long to wait for another's lock on a ref.
  var lockTimeout: Duration = .milliseconds(100)
  var packedLockTimeout: Duration = .seconds(1)
  /// `advice.ignoredHook`
  var advisesIgnoredHooks = true

  /// Throws ``GitError`` for a value that git would not take either.
  init(_ config: GitConfig, home: String? = nil) throws(GitError) {
    denyDeletes = try config.bool("receive.denydeletes") ?? false
    denyNonFastForwards = try config.bool("receive.denynonfastforwards") ?? false
    denyCurrentBranch = Self.current(config.last("receive.denycurrentbranch"), updates: true)
    denyDeleteCurrent = Self.current(config.last("receive.denydeletecurrent"), updates: false)
    fsckObjects = try config.bool("receive.fsckobjects", "transfer.fsckobjects") ?? false
    maximumInputSize = try config.number("receive.maxinputsize").flatMap { $0 > 0 ? UInt64($0) : nil }
    hidden = HiddenRefs(
      config.entries.filter { $0.key == "receive.hiderefs" || $0.key == "transfer.hiderefs" }.compactMap(\.value))
    shallowUpdate = try config.bool("receive.shallowupdate") ?? false
    advertisePushOptions = try config.bool("receive.advertisepushoptions") ?? false
    advertiseAtomic = try config.bool("receive.advertiseatomic") ?? true
    if let seconds = try config.number("receive.keepalive") { keepAlive = seconds > 0 ? .seconds(seconds) : nil }
    isBare = try config.bool("core.bare")
    advisesIgnoredHooks = try config.bool("advice.ignoredhook") ?? true
    if let text = config.last("core.logallrefupdates") {
      logAllRefUpdates = text.lowercased() == "always" ? .always : (GitConfig.bool(text) ?? false) ? .usual : .existing
    }
    if let path = config.last("core.hookspath"), !path.isEmpty { hooksPath = Self.path(path, home: home) }
    if let wait = try config.number("core.filesreflocktimeout") { lockTimeout = Self.timeout(wait) }
    if let wait = try config.number("core.packedrefstimeout") { packedLockTimeout = Self.timeout(wait) }
  }

  private static func current(_ text: String?, updates: Bool) -> CurrentBranch {
    guard let text else { return .unconfigured }
    switch text.lowercased() {
    case "ignore": return .ignore
    case "warn": return .warn
    case "refuse": return .refuse
    case "updateinstead" where updates: return .updateInstead
    default: return GitConfig.bool(text) ?? true ? .refuse : .ignore
    }
  }

  private static func path(_ text: String, home: String?) -> String {
    guard let home, text == "~" || text.hasPrefix("~/") else { return text }
    return home + text.dropFirst()
  }

  /// Negative: wait for ever, which here is an hour.
  private static func timeout(_ milliseconds: Int64) -> Duration {
    .milliseconds(milliseconds < 0 ? 3_600_000 : min(milliseconds, 3_600_000))
  }
}
