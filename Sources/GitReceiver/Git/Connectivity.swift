/// Whether everything that new refs reach is there.
///
/// What is in the repository itself is complete: nothing enters it before this check, and nothing is pruned from it.
/// So the walk goes through the push's own objects only, and stops where it meets the repository.
struct Connectivity {
  /// The repository without the quarantine.
  let repository: Repository
  /// With it.
  let quarantined: Repository
  let pushed: PackContents

  private struct Link {
    let id: ObjectID
    /// What the referring object takes it for; `nil`: anything.
    let kind: ObjectKind?
  }

  /// Throws ``GitError`` that names the first missing object.
  func check(_ tips: [ObjectID]) throws {
    var waiting = tips.map { Link(id: $0, kind: nil) }
    var seen: Set<ObjectID> = []
    while let link = waiting.popLast() {
      guard let kind = pushed.kind(of: link.id) else {
        try checkRepository(link)
        continue
      }
      guard link.kind == nil || link.kind == kind else { throw wrong(link, is: kind) }
      guard seen.insert(link.id).inserted, kind != .blob else { continue }
      waiting += try links(of: link.id, kind)
    }
  }

  private func checkRepository(_ link: Link) throws {
    guard let header = try repository.header(of: link.id) else {
      throw GitError(
        .badObjects, "the \(link.kind?.name ?? "object") \(link.id) is missing from the push",
        next: "if the clone is shallow, run `git fetch --unshallow`; else `git fsck`; then push again")
    }
    guard link.kind == nil || link.kind == header.kind else { throw wrong(link, is: header.kind) }
  }

  private func wrong(_ link: Link, is kind: ObjectKind) -> GitError {
    GitError(.badObjects, "object \(link.id) is a \(kind.name), but is used as a \(link.kind?.name ?? "?")")
  }

  private func links(of id: ObjectID, _ kind: ObjectKind) throws -> [Link] {
    let data = try quarantined.contents(of: id, kind)
    switch kind {
    case .blob: return []
    case .commit:
      guard let commit = ObjectLinks.commit(data) else {
        throw GitError(.badObjects, "commit \(id) has no readable head")
      }
      return [Link(id: commit.tree, kind: .tree)] + commit.parents.map { Link(id: $0, kind: .commit) }
    case .tag:
      guard let tag = ObjectLinks.tag(data) else { throw GitError(.badObjects, "tag \(id) has no readable head") }
      return [Link(id: tag.target, kind: tag.kind)]
    case .tree:
      var links: [Link] = []
      try TreeEntry.each(of: data, tree: id) { entry, _ in
        // A submodule's commit lives in another repository.
        guard entry.mode != .submodule else { return }
        links.append(Link(id: entry.id, kind: entry.mode == .directory ? .tree : .blob))
      }
      return links
    }
  }
}
