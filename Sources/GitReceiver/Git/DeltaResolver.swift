/// The second pass: makes every object that is stored as a delta, to know its id. Goes depth first from each whole
/// base, and holds the objects on the way down only as far as the limit allows; others are made again when needed.
struct DeltaResolver {
  /// Where a chain of deltas starts.
  private enum Node {
    case entry(Int32)
    case external(ObjectID)
  }

  private struct Frame {
    let node: Node
    let kind: ObjectKind
    let depth: UInt16
    /// `nil`: not held.
    var data: [UInt8]?
    /// The next child by offset, then by id.
    var nextChild: Int32
    var nextReference: Int32

    var next: Int32 { nextChild != PackScan.none ? nextChild : nextReference }
  }

  private(set) var scan: PackScan
  /// Bases outside the pack that deltas need, in the order of their use.
  private(set) var externalBases: [ObjectID] = []

  private let pack: PackFile
  private let limits: PackLimits
  private let check: ObjectCheck
  /// Reads an object of the repository; `nil` when it is not there.
  private let external: (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?
  private var stack: [Frame] = []
  private var held = 0

  init(
    _ scan: PackScan, pack: PackFile, limits: PackLimits, check: ObjectCheck,
    external: @escaping (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?
  ) {
    self.scan = scan
    self.pack = pack
    self.limits = limits
    self.check = check
    self.external = external
  }

  /// Resolves all. Throws ``GitError`` for a damaged delta, a missing base, or a limit.
  mutating func resolve() throws {
    for index in scan.entries.indices where scan.entries[index].kind != nil && scan.entries[index].depth == 0 {
      try descend(.entry(Int32(index)))
    }
    for id in referencedBases() where scan.firstReference[id] != nil {
      guard let object = try external(id) else { continue }
      try scan.spend(UInt64(object.data.count))
      externalBases.append(id)
      try descend(.external(id), object)
    }
    guard let missing = scan.firstReference.keys.min() else { return }
    throw GitError(
      .badObjects,
      "\(scan.firstReference.count) deltas in the pack have bases that are nowhere, \(missing) is the first",
      next: "run `git fsck` in the clone, then push again")
  }

  /// Bases by id that no entry has so far, in the order of the deltas that name them first. As in git: whoever comes
  /// first gets its base from the repository, and may make the next one's.
  private func referencedBases() -> [ObjectID] {
    let first = scan.firstReference.map { id, last in
      var index = last
      while scan.nextSibling[Int(index)] != PackScan.none { index = scan.nextSibling[Int(index)] }
      return (id: id, index: index)
    }
    return first.sorted { $0.index < $1.index }.map(\.id)
  }

  private mutating func descend(_ root: Node, _ object: (kind: ObjectKind, data: [UInt8])? = nil) throws {
    switch root {
    case .entry(let index):
      let entry = scan.entries[Int(index)]
      guard let kind = entry.kind else { return }
      push(root, id: entry.id, kind: kind, depth: 0, data: nil)
    case .external(let id):
      guard let object else { return }
      push(root, id: id, kind: object.kind, depth: 0, data: object.data)
    }
    while let frame = stack.last {
      guard frame.next != PackScan.none else {
        pop()
        continue
      }
      try child(frame.next)
    }
  }

  /// Makes one child of the top frame and puts it on the stack, if it has children of its own.
  private mutating func child(_ index: Int32) throws {
    let top = stack.count - 1
    let base = try data(ofFrame: top)
    advance(top, past: index)
    if stack[top].next == PackScan.none { release(top) }
    let depth = stack[top].depth + 1
    guard depth <= limits.deltaDepth else {
      throw GitError(
        .limit, "the pack has a chain of more than \(limits.deltaDepth) deltas", next: "run `git gc` and push again")
    }
    let kind = stack[top].kind
    let data = try apply(index, to: base)
    let id = try data.withUnsafeBytes { try hash($0, kind: kind) }
    try data.withUnsafeBytes { try check.check(kind, $0, id: id) }
    scan.resolved(index, id: id, kind: kind, depth: depth)
    push(.entry(index), id: id, kind: kind, depth: depth, data: data)
  }

  private func stored(_ index: Int32) throws -> [UInt8] {
    let entry = scan.entries[Int(index)]
    return try pack.inflate((entry.offset + UInt64(entry.headerLength))..<scan.end(of: index), size: Int(entry.size))
  }

  private mutating func apply(_ index: Int32, to base: [UInt8]) throws -> [UInt8] {
    let delta = try stored(index)
    return try delta.withUnsafeBytes { delta in
      try scan.spend(try Delta.resultSize(delta))
      return try base.withUnsafeBytes { try Delta.apply(delta, to: $0) }
    }
  }

  private mutating func advance(_ position: Int, past index: Int32) {
    let next = scan.nextSibling[Int(index)]
    if stack[position].nextChild == index {
      stack[position].nextChild = next
    } else {
      stack[position].nextReference = next
    }
  }

  private mutating func push(_ node: Node, id: ObjectID, kind: ObjectKind, depth: UInt16, data: [UInt8]?) {
    var first = PackScan.none
    if case .entry(let index) = node { first = scan.firstChild[Int(index)] }
    let reference = scan.firstReference.removeValue(forKey: id) ?? PackScan.none
    guard first != PackScan.none || reference != PackScan.none else { return }
    stack.append(Frame(node: node, kind: kind, depth: depth, data: data, nextChild: first, nextReference: reference))
    held += data?.count ?? 0
    shed()
  }

  private mutating func pop() {
    release(stack.count - 1)
    stack.removeLast()
  }

  private mutating func release(_ position: Int) {
    held -= stack[position].data?.count ?? 0
    stack[position].data = nil
  }

  /// Lets go of bases far from the top until what is held is below the limit.
  private mutating func shed() {
    for position in stack.indices.dropLast() {
      if held <= limits.heldBytes { return }
      release(position)
    }
  }

  /// A frame's object: held, or made again from the nearest one below that is.
  private mutating func data(ofFrame position: Int) throws -> [UInt8] {
    if let data = stack[position].data { return data }
    var start = position
    while start > 0, stack[start].data == nil { start -= 1 }
    var data = try stack[start].data ?? root(stack[start].node)
    for next in stride(from: start + 1, through: position, by: 1) {
      guard case .entry(let index) = stack[next].node else { continue }
      data = try apply(index, to: data)
    }
    stack[position].data = data
    held += data.count
    shed()
    return data
  }

  private mutating func root(_ node: Node) throws -> [UInt8] {
    switch node {
    case .entry(let index):
      try scan.spend(UInt64(scan.entries[Int(index)].size))
      return try stored(index)
    case .external(let id):
      guard let object = try external(id) else { throw GitError(.internalError, "object \(id) disappeared") }
      return object.data
    }
  }
}
