/// Where the client's history will end (gitprotocol-pack(5), "shallow" and "deepen").
struct UploadShallow {
  /// Commits that become an edge.
  private(set) var shallow: [CommitGraph.Node] = []
  /// Edges of the client that are none any more.
  private(set) var unshallow: [CommitGraph.Node] = []
  /// What the client needs of what lies behind them.
  private(set) var extraWants: [CommitGraph.Node] = []
  /// The client's edges as it named them.
  private let client: [CommitGraph.Node]
  private let graph: CommitGraph

  /// Computes the edges and cuts the graph there, so that later walks see what the client will see.
  /// Throws ``GitError`` when nothing would be left.
  init(_ request: UploadRequest, wants: [CommitGraph.Node], refs: UploadRefs, _ graph: CommitGraph) throws {
    self.graph = graph
    var client: [CommitGraph.Node] = []
    var known: Set<CommitGraph.Node> = []
    for id in request.shallow {
      // One that we do not know is none of our history.
      guard let number = try graph.store.number(of: id) else { continue }
      guard try graph.store.kind(of: number) == .commit else {
        throw GitError(.protocolBroken, "git upload-pack: invalid shallow object \(id)")
      }
      let node = try graph.node(number)
      if known.insert(node).inserted { client.append(node) }
    }
    self.client = client
    guard request.changesDepth else {
      for node in client { graph.cut(node) }
      return
    }
    let (inside, edge) = try region(request, wants, refs)
    shallow = edge.filter { !known.contains($0) }
    for node in client where inside.contains(node) {
      unshallow.append(node)
      try graph.realParents(of: node) { if $0 != CommitGraph.missing { extraWants.append($0) } }
    }
    for node in edge + client { graph.cut(node) }
  }

  private typealias Region = (inside: Set<CommitGraph.Node>, edge: [CommitGraph.Node])

  private func region(_ request: UploadRequest, _ wants: [CommitGraph.Node], _ refs: UploadRefs) throws -> Region {
    guard let depth = request.depth else { return try byHistory(request, wants, refs) }
    if depth == UploadRequest.infiniteDepth { return try byDepth(depth, wants) }
    guard request.isRelative else { return try byDepth(depth, wants) }
    let reachable = Set(try byDepth(UploadRequest.infiniteDepth, wants).inside)
    return try byDepth(depth + 1, client.filter { reachable.contains($0) })
  }

  /// Commits fewer than `depth` steps away are inside, those at `depth` are the edge. A wanted commit is at step 1.
  private func byDepth(_ depth: Int, _ wants: [CommitGraph.Node]) throws -> Region {
    var inside: Set<CommitGraph.Node> = []
    var seen: Set<CommitGraph.Node> = Set(wants)
    var edge: [CommitGraph.Node] = []
    var level = Array(seen)
    var step = 1
    while !level.isEmpty {
      var next: [CommitGraph.Node] = []
      for node in level {
        if step >= depth || graph.isCut(node) {
          edge.append(node)
          continue
        }
        inside.insert(node)
        try graph.realParents(of: node) { parent in
          guard parent != CommitGraph.missing else { throw graph.missingParent(of: node) }
          if seen.insert(parent).inserted { next.append(parent) }
        }
      }
      level = next
      step += 1
    }
    return (inside, edge)
  }

  /// What is newer than a time and not behind some refs; the edge are those of them with a parent that is neither.
  private func byHistory(_ request: UploadRequest, _ wants: [CommitGraph.Node], _ refs: UploadRefs) throws -> Region {
    var excluded: [CommitGraph.Node] = []
    for name in request.excluded {
      guard let number = try graph.store.number(of: refs.expand(name)) else { continue }
      if let node = try graph.node(peeling: number) { excluded.append(node) }
    }
    var walk = CommitWalk(graph, notBefore: request.since)
    let found = Set(try walk.run(from: wants, without: excluded))
    guard !found.isEmpty else { throw GitError(.protocolBroken, "no commits selected for shallow requests") }
    var edge: [CommitGraph.Node] = []
    for node in found.sorted() {
      var isEdge = false
      try graph.realParents(of: node) { if !found.contains($0) { isEdge = true } }
      if isEdge { edge.append(node) }
    }
    return (found.subtracting(edge), edge)
  }

  /// The lines that tell the client.
  func write(to output: UploadOutput) throws {
    for node in shallow { try output.packet("shallow \(graph.id(of: node))") }
    for node in unshallow { try output.packet("unshallow \(graph.id(of: node))") }
  }
}
