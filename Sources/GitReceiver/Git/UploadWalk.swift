/// Which commits to send: reachable from some, not from others, newest first as far as dates tell.
struct CommitWalk {
  let graph: CommitGraph
  /// Commits older than this, and what is behind them, count as excluded. Seconds since 1970.
  var notBefore: Int64?

  private struct Mark: OptionSet {
    let rawValue: UInt8
    static let seen = Mark(rawValue: 1)
    static let excluded = Mark(rawValue: 2)
    static let waiting = Mark(rawValue: 4)
  }

  private var marks: [Mark] = []
  private var queue: [CommitGraph.Node] = []
  /// How many in the queue may still be sent.
  private var open = 0
  private var result: [CommitGraph.Node] = []
  /// Rounds after everything seems decided: dates are not to be relied on.
  private static let patience = 5

  init(_ graph: CommitGraph, notBefore: Int64? = nil) {
    self.graph = graph
    self.notBefore = notBefore
  }

  /// The commits themselves. Throws ``GitError`` when one that should be sent is missing. `tick` is called often.
  mutating func run(
    from wanted: [CommitGraph.Node], without had: [CommitGraph.Node], tick: () throws -> Void = {}
  ) throws -> [CommitGraph.Node] {
    if had.isEmpty, notBefore == nil { return try everything(from: wanted, tick) }
    for node in had { add(node, [.seen, .excluded]) }
    for node in wanted { add(node, .seen) }
    var patience = Self.patience
    var oldest = Int64.max
    while let node = popNewest() {
      try tick()
      if let notBefore, graph.dates[node] < notBefore { try exclude(node) }
      let isExcluded = marks[node].contains(.excluded)
      if !isExcluded {
        result.append(node)
        oldest = min(oldest, graph.dates[node])
      }
      try visitParents(of: node, isExcluded)
      guard open == 0 else {
        patience = Self.patience
        continue
      }
      if let next = queue.first, graph.dates[next] >= oldest { continue }
      patience -= 1
      if patience < 0 { break }
    }
    return result.filter { !marks[$0].contains(.excluded) }
  }

  /// Whether the last walk met the commit as excluded.
  func isExcluded(_ node: CommitGraph.Node) -> Bool { node < marks.count && marks[node].contains(.excluded) }

  private mutating func visitParents(of node: CommitGraph.Node, _ isExcluded: Bool) throws {
    var parents: [CommitGraph.Node] = []
    try graph.parents(of: node) { parents.append($0) }
    for parent in parents {
      guard parent != CommitGraph.missing else {
        // What lies behind a commit that the client has is not needed.
        if isExcluded { continue }
        throw graph.missingParent(of: node)
      }
      if isExcluded { try exclude(parent) }
      add(parent, isExcluded ? [.seen, .excluded] : .seen)
    }
  }

  private mutating func everything(
    from wanted: [CommitGraph.Node], _ tick: () throws -> Void
  ) throws -> [CommitGraph.Node] {
    var waiting: [CommitGraph.Node] = []
    for node in wanted.reversed() where !mark(node).contains(.seen) {
      marks[node].insert(.seen)
      waiting.append(node)
    }
    while let node = waiting.popLast() {
      try tick()
      result.append(node)
      try graph.parents(of: node) { parent in
        guard parent != CommitGraph.missing else { throw graph.missingParent(of: node) }
        if !mark(parent).contains(.seen) {
          marks[parent].insert(.seen)
          waiting.append(parent)
        }
      }
    }
    return result
  }

  private mutating func mark(_ node: CommitGraph.Node) -> Mark {
    if node >= marks.count {
      marks.append(contentsOf: repeatElement([], count: max(node + 1, graph.count) - marks.count))
    }
    return marks[node]
  }

  /// Excludes a commit, and those behind it that the walk has been through.
  private mutating func exclude(_ first: CommitGraph.Node) throws {
    var waiting = [first]
    while let node = waiting.popLast() {
      let mark = mark(node)
      if mark.contains(.excluded) { continue }
      marks[node].insert(.excluded)
      if mark.contains(.waiting) {
        open -= 1
      } else if mark.contains(.seen) {
        try graph.parents(of: node) { if $0 != CommitGraph.missing { waiting.append($0) } }
      }
    }
  }

  // MARK: The queue, a heap by date

  private mutating func add(_ node: CommitGraph.Node, _ more: Mark) {
    let old = mark(node)
    guard !old.contains(.seen) else { return }
    marks[node].formUnion(more.union(.waiting))
    if !marks[node].contains(.excluded) { open += 1 }
    queue.append(node)
    var child = queue.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard graph.dates[queue[parent]] < graph.dates[queue[child]] else { break }
      queue.swapAt(parent, child)
      child = parent
    }
  }

  private mutating func popNewest() -> CommitGraph.Node? {
    guard let first = queue.first, let last = queue.popLast() else { return nil }
    if !queue.isEmpty {
      queue[0] = last
      var parent = 0
      while true {
        var child = 2 * parent + 1
        guard child < queue.count else { break }
        if child + 1 < queue.count, graph.dates[queue[child + 1]] > graph.dates[queue[child]] { child += 1 }
        guard graph.dates[queue[child]] > graph.dates[queue[parent]] else { break }
        queue.swapAt(parent, child)
        parent = child
      }
    }
    marks[first].remove(.waiting)
    if !marks[first].contains(.excluded) { open -= 1 }
    return first
  }
}
