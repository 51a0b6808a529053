/// Whether everything that new refs reach is there.
///
/// What is in the repository itself is complete: nothing enters it before this check, and upkeep removes only what
/// nothing refers to. So each object that came has to find what it refers to in the pack or in the repository, and
/// nothing has to be walked.
struct Connectivity {
  /// The repository without the quarantine.
  let repository: Repository
  let pushed: PackContents

  /// Throws ``GitError`` that names the first missing object.
  func check(_ tips: [ObjectID]) throws {
    for tip in tips where pushed.kind(of: tip) == nil {
      guard repository.contains(tip) else { throw missing(tip, nil) }
    }
    try pushed.links.forEach { id, kind in try check(ObjectID(raw: id), is: kind) }
  }

  private func check(_ id: ObjectID, is expected: ObjectKind) throws {
    guard let kind = try pushed.kind(of: id) ?? repository.header(of: id)?.kind else { throw missing(id, expected) }
    guard kind == expected else {
      throw GitError(.badObjects, "object \(id) is a \(kind.name), but is used as a \(expected.name)")
    }
  }

  private func missing(_ id: ObjectID, _ kind: ObjectKind?) -> GitError {
    GitError(
      .badObjects, "the \(kind?.name ?? "object") \(id) is missing from the push",
      next: "if the clone is shallow, run `git fetch --unshallow`; else `git fsck`; then push again")
  }
}
