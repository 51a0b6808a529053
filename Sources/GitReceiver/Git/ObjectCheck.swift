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
final class ObjectCheck: @unchecked Sendable {  // no lock: whoever holds it is the only one, as said above
  let rules: FsckRules
  /// What the checked objects refer to, for connectivity: trees' entries but submodules, commits' trees and parents,
  /// tags' targets. Of trees that were checked `like` another, only what is not in that one.
  let links: LinkSet
  /// Blobs that some tree names `.gitmodules` or `.gitattributes`.
  var special = FsckSpecialBlobs()

  /// `links`: the most ids the checked objects may refer to.
  init(rules: FsckRules = .strict, links limit: Int = 8_000_000) {
    self.rules = rules
    links = LinkSet(limit: limit)
  }

  /// Checks one object. `base`: an object of the same kind that has passed this check before in the same push, or is
  /// in the repository (a tree's delta base), so that what is equal in both is not looked at again.
  /// Throws ``GitError`` of kind `badObjects` that names the object.
  func check(
    _ kind: ObjectKind, _ data: UnsafeRawBufferPointer, id: ObjectID, like base: UnsafeRawBufferPointer? = nil
  ) throws(GitError) {
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

  /// After all objects: checks the contents of ``special`` blobs. `read` gives an object of the push or of the
  /// repository; `nil` when it is nowhere. Throws ``GitError``, and what `read` throws.
  func finish(read: (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?) throws {
    try special.check(read: read)
  }

  /// What is wrong with an object, with git's name for it (git-fsck(1), "FSCK MESSAGES").
  static func fault(_ kind: ObjectKind, _ id: ObjectID, _ what: String, _ name: String) -> GitError {
    GitError(
      .badObjects, "\(kind.name) \(id) \(what) (\(name))",
      next: "run `git fsck` in the clone, repair it, then push again")
  }
}
