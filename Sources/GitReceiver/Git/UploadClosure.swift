/// Everything that some objects lead to, less what others lead to.
struct ObjectClosure {
  let graph: CommitGraph
  let selection: ObjectSelection
  private var store: PackStore { graph.store }

  /// Selects `wants` and `commits` and all behind and below them, but not what `common`, which the reader has, leads
  /// to, as far as that is cheap to find out. Throws ``GitError`` when an object is missing. `tick` is called often.
  func insert(
    _ wants: [ObjectNumber], commits extra: [CommitGraph.Node] = [], without common: [ObjectNumber] = [],
    tick: () throws -> Void = {}
  ) throws {
    let had = try haves(common)
    var commits = extra
    var others: [ObjectNumber] = []
    for want in wants {
      let target = try insertTags(want)
      if try store.kind(of: target) == .commit { commits.append(try graph.node(target)) } else { others.append(target) }
    }
    var walk = CommitWalk(graph)
    let nodes = try walk.run(from: commits, without: had, tick: tick)
    // What the edge of the reader's history holds, it has.
    for node in nodes where !had.isEmpty {
      try graph.parents(of: node) { parent in
        guard parent != CommitGraph.missing, walk.isExcluded(parent) else { return }
        selection.markHad(graph.numbers[parent])
        if let tree = try graph.tree(of: parent) { try selection.markTreeHad(tree) }
      }
    }
    for node in nodes { try insert(node) }
    for other in others { try insertOther(other) }
  }

  private func haves(_ common: [ObjectNumber]) throws -> [CommitGraph.Node] {
    var nodes: [CommitGraph.Node] = []
    for number in common {
      selection.markHad(number)
      let target = try store.peel(number)
      selection.markHad(target)
      switch try store.kind(of: target) {
      case .commit: nodes.append(try graph.node(target))
      case .tree: try selection.markTreeHad(target)
      case .blob, .tag: break
      }
    }
    return nodes
  }

  private func insert(_ node: CommitGraph.Node) throws {
    selection.insert(graph.numbers[node])
    guard let tree = try graph.tree(of: node) else {
      throw GitError(.badObjects, "the tree \(graph.treeID(of: node)) of commit \(graph.id(of: node)) is missing")
    }
    try selection.insertTree(tree)
  }

  /// Asked for by its id, so no filter keeps it out.
  private func insertOther(_ number: ObjectNumber) throws {
    if try store.kind(of: number) == .tree { try selection.insertTree(number) }
    selection.insert(number)
  }

  /// Takes the tags from one to what it tags, which is returned.
  func insertTags(_ number: ObjectNumber) throws -> ObjectNumber {
    let target = try store.peel(number)
    var at = number
    while at != target {
      selection.insert(at)
      at = try store.tagTarget(at)
    }
    return target
  }
}
