/// What both sides have: grows with every `have` of the client.
final class UploadNegotiation {
  let store: PackStore
  let graph: CommitGraph
  private let wants: [ObjectNumber]
  /// Everything the client said it has, and we have too.
  private(set) var common: [ObjectNumber] = []
  private var had: Set<ObjectNumber> = []
  /// Commits that the client has, and their parents.
  private var hadNodes: Set<CommitGraph.Node> = []
  private var oldest = Int64.max
  /// Wanted commits that still lead to nothing the client has; `nil` until somebody asks.
  private var undecided: [CommitGraph.Node]?
  private var isStale = true

  init(_ graph: CommitGraph, wants: [ObjectNumber]) {
    self.graph = graph
    self.wants = wants
    store = graph.store
  }

  /// Takes one `have`. Returns whether we have it too. Throws ``GitError`` when the repository is damaged.
  func receive(_ id: ObjectID) throws -> Bool {
    guard let number = try store.number(of: id) else { return false }
    guard had.insert(number).inserted else { return true }
    isStale = true
    var isKnown = false
    if try store.kind(of: number) == .commit {
      let node = try graph.node(number)
      isKnown = !hadNodes.insert(node).inserted
      oldest = min(oldest, graph.dates[node])
      try graph.parents(of: node) { if $0 != CommitGraph.missing { hadNodes.insert($0) } }
    }
    if !isKnown { common.append(number) }
    return true
  }

  /// Every wanted commit leads to something that the client has: more haves would hardly make the pack smaller.
  func isEnough() throws -> Bool {
    guard !common.isEmpty else { return false }
    guard isStale else { return undecided?.isEmpty ?? false }
    isStale = false
    var left = try undecided ?? wants.compactMap { try graph.node(peeling: $0) }
    while let node = left.last {
      guard try leads(node) else { break }
      left.removeLast()
    }
    undecided = left
    return left.isEmpty
  }

  private func leads(_ start: CommitGraph.Node) throws -> Bool {
    var seen: Set<CommitGraph.Node> = [start]
    var waiting = [start]
    while let node = waiting.popLast() {
      if hadNodes.contains(node) { return true }
      if graph.dates[node] < oldest { continue }
      try graph.parents(of: node) { parent in
        if parent != CommitGraph.missing, seen.insert(parent).inserted { waiting.append(parent) }
      }
    }
    return false
  }
}
