import Glibc
import Linux

/// A repository anywhere on this machine, as `paas receive-pack DIR` is given it.
struct StandaloneRepository: Sendable {
  /// The git directory, absolute: where `HEAD` lies, and hooks run.
  let path: String
  /// Where refs, objects and configuration lie: another one than ``path`` in a linked work tree.
  let common: String
  let config: GitConfig
  let settings: StandaloneSettings

  var objects: String { "\(common)/objects" }
  var isBare: Bool { settings.isBare ?? !path.hasSuffix("/.git") }

  /// Finds it as git does: `DIR/.git`, `DIR`, `DIR.git/.git`, `DIR.git`. Throws ``GitError`` in git's words when there
  /// is none, or when it belongs to somebody else and `safe.directory` (in the system's or the user's configuration)
  /// does not name it.
  static func open(_ directory: String, environment: [String: String]) throws -> StandaloneRepository {
    let candidates = ["/.git", "", ".git/.git", ".git"].map { directory + $0 }
    for candidate in candidates {
      guard let found = try gitDirectory(candidate), let path = absolute(found) else { continue }
      try checkOwner(path, shown: directory, environment)
      let common = commonDirectory(path)
      let config = try GitConfig.read(common, environment: environment)
      try checkFormat(config)
      let settings = try StandaloneSettings(config, home: environment["HOME"])
      return StandaloneRepository(path: path, common: common, config: config, settings: settings)
    }
    throw GitError(.internalError, "'\(directory)' does not appear to be a git repository")
  }

  /// The path itself, or where a `.git` file leads; `nil`: neither.
  private static func gitDirectory(_ path: String) throws -> String? {
    var info = stat()
    guard stat(path, &info) == 0 else { return nil }
    if info.st_mode & S_IFMT == S_IFDIR { return isGitDirectory(path) ? path : nil }
    guard info.st_mode & S_IFMT == S_IFREG else { return nil }
    let text = try Files.text(path, limit: 1 << 16)
    guard text.hasPrefix("gitdir: ") else { throw GitError(.internalError, "invalid gitfile format: \(path)") }
    let target = String(text.dropFirst(8).prefix { $0 != "\n" && $0 != "\r\n" })
    let whole = target.hasPrefix("/") ? target : "\(parent(path))/\(target)"
    guard isGitDirectory(whole) else { throw GitError(.internalError, "not a git repository: \(whole)") }
    return whole
  }

  private static func isGitDirectory(_ path: String) -> Bool {
    let common = commonDirectory(path)
    var info = stat()
    return lstat("\(path)/HEAD", &info) == 0 && access("\(common)/objects", X_OK) == 0
      && access("\(common)/refs", X_OK) == 0
  }

  private static func commonDirectory(_ path: String) -> String {
    guard let text = try? Files.text("\(path)/commondir", limit: 1 << 16) else { return path }  // the usual case
    let target = String(text.prefix { $0 != "\n" })
    return absolute(target.hasPrefix("/") ? target : "\(path)/\(target)") ?? path
  }

  private static func parent(_ path: String) -> String {
    path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  }

  private static func absolute(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(validatingCString: real)
  }

  // MARK: Trust

  private static func checkOwner(_ path: String, shown: String, _ environment: [String: String]) throws {
    var info = stat()
    guard stat(path, &info) == 0 else { throw GitError(.internalError, "cannot look at '\(shown)'") }
    if info.st_uid == geteuid() { return }
    // Who became root by sudo may use what was theirs before.
    if geteuid() == 0, let user = environment["SUDO_UID"].flatMap({ UInt32($0) }), user == info.st_uid { return }
    let config = try GitConfig.readOutside(environment: environment)
    var isSafe = false
    for value in config.all("safe.directory") {
      switch value {
      case nil, "": isSafe = false
      case "*"?, path?, shown?: isSafe = true
      case let value? where value.hasSuffix("/*") && path.hasPrefix(value.dropLast(1)): isSafe = true
      default: break
      }
    }
    guard isSafe else {
      throw GitError(
        .internalError,
        """
        detected dubious ownership in repository at '\(shown)'
        To add an exception for this directory, call:

        \tgit config --global --add safe.directory \(shown)
        """)
    }
  }

  private static func checkFormat(_ config: GitConfig) throws(GitError) {
    let version = try config.number("core.repositoryformatversion") ?? 0
    guard version <= 1 else {
      throw GitError(.internalError, "Expected git repo version <= 1, found \(version)")
    }
    if version == 1, let format = config.last("extensions.objectformat"), format != "sha1" {
      throw GitError(.internalError, "only SHA-1 repositories can be pushed to, this one is in \(format)")
    }
    if version == 1, let format = config.last("extensions.refstorage"), format != "files" {
      throw GitError(.internalError, "this repository keeps its refs in '\(format)', which is not known here")
    }
  }

  // MARK: Work trees

  /// Whether a work tree has the branch checked out: the repository's own, or a linked one.
  func isCheckedOut(_ name: [UInt8]) -> Bool {
    if !isBare, head(of: common) == name { return true }
    let linked = "\(common)/worktrees"
    guard let names = try? Files.names(in: linked) else { return false }  // there are none
    return names.contains { head(of: "\(linked)/\($0)") == name }
  }

  /// The branch that a bare repository, or any, names in HEAD.
  func isCurrent(_ name: [UInt8]) -> Bool { isCheckedOut(name) || head(of: common) == name || head(of: path) == name }

  private func head(of directory: String) -> [UInt8]? {
    guard let bytes = try? Files.read("\(directory)/HEAD", limit: 1 << 16),
      case .symbolic(let name) = RefFiles.parse(bytes[...])
    else { return nil }  // detached, or gone meanwhile
    return name
  }

  // MARK: Shallow and borrowed history

  /// Commits without their parents here (gitformat-pack has no word for it; `shallow` in gitrepository-layout(5)).
  func shallow() throws -> Set<ObjectID> {
    let path = "\(common)/shallow"
    guard Files.exists(path) else { return [] }
    return Set(try Files.read(path, limit: 1 << 28).split(separator: 10).compactMap { ObjectID($0) })
  }

  /// What the refs of repositories that objects are borrowed from name.
  func alternateTips() -> [ObjectID] {
    var tips: [ObjectID] = []
    var seen: Set<String> = [objects]
    var waiting = [objects]
    while let next = waiting.popLast(), seen.count < 64 {
      guard let lines = try? Files.text("\(next)/info/alternates", limit: 1 << 20) else { continue }  // none
      for line in lines.split(separator: "\n") where !line.hasPrefix("#") {
        let target = line.hasPrefix("/") ? String(line) : "\(next)/\(line)"
        guard let found = Self.absolute(target), seen.insert(found).inserted else { continue }
        waiting.append(found)
        guard found.hasSuffix("/objects"), Self.isGitDirectory(Self.parent(found)) else { continue }
        let refs = try? RefFiles(Self.parent(found)).all()  // what cannot be read is of no help, and no harm
        tips += refs?.map(\.id) ?? []
      }
    }
    return tips
  }
}
