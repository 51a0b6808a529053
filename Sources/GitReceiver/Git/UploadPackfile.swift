/// Everything between the end of the negotiation and the last byte of the pack.
struct UploadPackfile {
  let graph: CommitGraph
  let request: UploadRequest
  let wants: [ObjectNumber]
  let extraWants: [CommitGraph.Node]
  let common: [ObjectNumber]
  let tags: [UploadRefs.Ref]
  let output: UploadOutput

  /// Sends the pack. Throws ``GitError`` when an object is missing or damaged; the client has been told then.
  func send() throws {
    do {
      let progress = UploadProgress(output, isQuiet: request.noProgress)
      let selection = try select(progress)
      try progress.found(selection.count)
      var writer = PackWriter(
        selection, to: output.sink(),
        options: PackWriter.Options(offsetDeltas: request.offsetDeltas, thin: request.isThin))
      _ = try writer.write()
      try progress.sent(writer.statistics)
    } catch let error as GitError {
      try output.progress("fatal: \(oneLine(error.message))\n")
      try output.failure("aborting due to possible repository corruption on the remote side.")
      throw error
    }
    if output.bands != .none { try output.flushPacket() }
  }

  private func select(_ progress: UploadProgress) throws -> ObjectSelection {
    let selection = ObjectSelection(graph.store, filter: request.filter) { try progress.tick($0) }
    let had = try haves(selection)
    var commits = extraWants
    var others: [ObjectNumber] = []
    for want in wants {
      let target = try insertTags(want, selection)
      if try graph.store.kind(of: target) == .commit {
        commits.append(try graph.node(target))
      } else {
        others.append(target)
      }
    }
    var walk = CommitWalk(graph)
    let nodes = try walk.run(from: commits, without: had) { try progress.tick(selection.count) }
    // What the edge of the client's history holds, it has.
    for node in nodes where !had.isEmpty {
      try graph.parents(of: node) { parent in
        guard parent != CommitGraph.missing, walk.isExcluded(parent) else { return }
        selection.markHad(graph.numbers[parent])
        if let tree = try graph.tree(of: parent) { try selection.markTreeHad(tree) }
      }
    }
    for node in nodes { try insert(node, selection) }
    for other in others { try insertOther(other, selection) }
    if request.includeTags { try includeTags(selection) }
    return selection
  }

  private func haves(_ selection: ObjectSelection) throws -> [CommitGraph.Node] {
    var nodes: [CommitGraph.Node] = []
    for number in common {
      selection.markHad(number)
      let target = try graph.store.peel(number)
      selection.markHad(target)
      switch try graph.store.kind(of: target) {
      case .commit: nodes.append(try graph.node(target))
      case .tree: try selection.markTreeHad(target)
      case .blob, .tag: break
      }
    }
    return nodes
  }

  private func insert(_ node: CommitGraph.Node, _ selection: ObjectSelection) throws {
    selection.insert(graph.numbers[node])
    guard let tree = try graph.tree(of: node) else {
      throw GitError(.badObjects, "the tree \(graph.treeID(of: node)) of commit \(graph.id(of: node)) is missing")
    }
    try selection.insertTree(tree)
  }

  /// Asked for by its id, so no filter applies to it.
  private func insertOther(_ number: ObjectNumber, _ selection: ObjectSelection) throws {
    if try graph.store.kind(of: number) == .tree { try selection.insertTree(number) }
    selection.insert(number)
  }

  /// Takes the tags from one to what it tags, which is returned.
  private func insertTags(_ number: ObjectNumber, _ selection: ObjectSelection) throws -> ObjectNumber {
    let target = try graph.store.peel(number)
    var at = number
    while at != target {
      selection.insert(at)
      at = try graph.store.tagTarget(at)
    }
    return target
  }

  /// A tag of something that is sent is sent too (gitprotocol-capabilities(5), "include-tag").
  private func includeTags(_ selection: ObjectSelection) throws {
    for tag in tags {
      guard let peeled = tag.peeled, let target = try graph.store.number(of: peeled), selection.contains(target),
        let number = try graph.store.number(of: tag.id)
      else { continue }
      _ = try insertTags(number, selection)
    }
  }
}

/// Tells the client how it goes on, in the words of git's pack-objects.
final class UploadProgress {
  private let output: UploadOutput
  private let isQuiet: Bool
  private var calls = 0
  private var last = ContinuousClock.now

  init(_ output: UploadOutput, isQuiet: Bool) {
    self.output = output
    self.isQuiet = isQuiet
  }

  /// Called very often; says something once a second.
  func tick(_ found: Int) throws {
    calls &+= 1
    guard calls & 0x3FF == 0 else { return }
    let now = ContinuousClock.now
    guard now - last > .seconds(1) else { return }
    last = now
    if isQuiet { try output.keepAlive() } else { try output.progress("Enumerating objects: \(found)\r") }
  }

  func found(_ count: Int) throws {
    guard !isQuiet else { return }
    if count > 0 {
      try output.progress("Enumerating objects: \(count), done.\n")
      try output.progress("Counting objects: 100% (\(count)/\(count)), done.\n")
    }
  }

  func sent(_ result: PackWriter.Statistics) throws {
    guard !isQuiet else { return }
    try output.progress(
      "Total \(result.objects) (delta \(result.deltas)), reused \(result.reused) (delta \(result.reusedDeltas)), "
        + "pack-reused 0\n")
  }
}
