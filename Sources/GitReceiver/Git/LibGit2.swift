import CGit2
import Platform

/// Runs one call of libgit2; reads and clears its error on the same thread. Throws ``GitError``:
/// `cannot open repository '/nope': failed to resolve path '/nope' (libgit2 -3)`.
@discardableResult
func git(_ action: @autoclosure () -> String, _ call: () -> Int32) throws(GitError) -> Int32 {
  let code = call()
  guard code < 0 else { return code }
  let reason = git_error_last().flatMap { $0.pointee.message }.map { String(cString: $0) } ?? "no reason given"
  git_error_clear()
  throw GitError(.internalError, "cannot \(action()): \(reason) (libgit2 \(code))")
}

/// As ``git(_:_:)``, where "not found" is an answer: `false`.
func gitFound(_ action: @autoclosure () -> String, _ call: () -> Int32) throws(GitError) -> Bool {
  var found = true
  try git(action()) {
    let code = call()
    guard code == GIT_ENOTFOUND.rawValue else { return code }
    git_error_clear()
    found = false
    return 0
  }
  return found
}

/// libgit2, set up once per process: no configuration from outside the repository, and durable writes.
enum LibGit2 {
  static let started: Bool = {
    guard git_libgit2_init() >= 0 else { return false }
    for level in [GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA]
    {
      guard paas_git2_search_path(level.rawValue, "") >= 0 else { return false }
    }
    return paas_git2_option_int(Int32(GIT_OPT_ENABLE_FSYNC_GITDIR.rawValue), 1) >= 0
  }()

  /// Throws ``GitError`` when the library does not start.
  static func start() throws(GitError) {
    guard started else { throw GitError(.internalError, "libgit2 does not start") }
  }
}
