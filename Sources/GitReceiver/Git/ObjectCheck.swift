/// Which objects may enter a repository.
enum FsckRules: Sendable {
  /// As git with `receive.fsckObjects`: what its `index-pack --strict` refuses is refused.
  case strict
  /// As git without: an object must only be readable enough for connectivity.
  case none
}

/// The check of objects that arrive, and what they refer to.
///
/// For one thread at a time: each thread has one of its own, and they are merged at the end.
final class ObjectCheck {
  let rules: FsckRules
  /// What the checked objects refer to, for connectivity: trees' entries but submodules, commits' trees and parents,
  /// tags' targets. Of trees that were checked `like` another, only what is not in that one.
  let links: LinkSet
  /// Blobs that some tree names `.gitmodules` or `.gitattributes`.
  var special = FsckSpecialBlobs()

  /// Most bytes of a commit, a tag or a tree: their lines and entries are taken apart in memory, a blob's are not.
  /// A tree of this size has more than a million entries.
  static let largestStructured = 64 << 20

  /// `links`: how much the checked objects may refer to, shared by the checks of one push.
  init(rules: FsckRules = .strict, links budget: LinkBudget = LinkBudget()) {
    self.rules = rules
    links = LinkSet(budget: budget)
  }

  /// Checks one object. `base`: an object of the same kind that has passed this check before in the same push, or is
  /// in the repository (a tree's delta base), so that what is equal in both is not looked at again.
  /// Throws ``GitError`` of kind `badObjects` or `limit` that names the object.
  func check(
    _ kind: ObjectKind, _ data: UnsafeRawBufferPointer, id: ObjectID, like base: UnsafeRawBufferPointer? = nil
  ) throws(GitError) {
    guard kind == .blob || data.count <= Self.largestStructured else {
      throw GitError(
        .limit,
        "\(kind.name) \(id) has \(data.count) bytes: the limit for commits, tags and trees is "
          + "\(Self.largestStructured >> 20) MiB", next: "push a history without it")
    }
    switch kind {
    case .blob: return
    case .tree: try checkTree(data, id: id, like: base)
    case .commit: try checkCommit(data, id: id)
    case .tag: try checkTag(data, id: id)
    }
  }

  /// Adds what another thread's check has found. Throws ``GitError`` of kind `limit`.
  func merge(_ other: ObjectCheck) throws(GitError) {
    try links.merge(other.links)
    special.merge(other.special)
  }

  /// After all objects: checks the contents of ``special`` blobs. `header` and `read` look at an object of the push or
  /// of the repository; with `header`, a blob that is too large is refused unread. Throws ``GitError``, and what
  /// `header` and `read` throw.
  func finish(header: FsckSpecialBlobs.Header? = nil, read: FsckSpecialBlobs.Read) throws {
    try special.check(header: header, read: read)
  }

  /// What is wrong with an object, with git's name for it (git-fsck(1), "FSCK MESSAGES").
  static func fault(_ kind: ObjectKind, _ id: ObjectID, _ what: String, _ name: String) -> GitError {
    GitError(
      .badObjects, "\(kind.name) \(id) \(what) (\(name))",
      next: "run `git fsck` in the clone, repair it, then push again")
  }
}
