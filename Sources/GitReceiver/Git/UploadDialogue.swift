/// The server's answers to `have` lines in protocol 0 and 1, as a value (gitprotocol-pack(5), "Packfile Negotiation").
struct UploadDialogue {
  private let acknowledgement: UploadRequest.Acknowledgement
  private let noDone: Bool
  /// How many objects both sides have.
  var commonCount = 0
  private var last: ObjectID?
  private var hasCommon = false
  private var hasOther = false
  private var saidReady = false
  /// The client said that it needs no `done`, and we are ready.
  private(set) var isOver = false

  init(_ request: UploadRequest) {
    acknowledgement = request.acknowledgement
    noDone = request.noDone
  }

  /// After one `have`.
  mutating func have(_ id: ObjectID, isCommon: Bool, isEnough: () throws -> Bool) rethrows -> [String] {
    if isCommon {
      hasCommon = true
      last = id
      switch acknowledgement {
      case .detailed: return ["ACK \(id) common\n"]
      case .multiple: return ["ACK \(id) continue\n"]
      case .single: return commonCount == 1 ? ["ACK \(id)\n"] : []
      }
    }
    hasOther = true
    guard acknowledgement != .single, try isEnough() else { return [] }
    if acknowledgement == .multiple { return ["ACK \(id) continue\n"] }
    saidReady = true
    return ["ACK \(id) ready\n"]
  }

  /// At the end of a batch of haves.
  mutating func flush(isEnough: () throws -> Bool) rethrows -> [String] {
    var lines: [String] = []
    if acknowledgement == .detailed, hasCommon, !hasOther, let last, try isEnough() {
      saidReady = true
      lines.append("ACK \(last) ready\n")
    }
    if commonCount == 0 || acknowledgement != .single { lines.append("NAK\n") }
    if noDone, saidReady, let last {
      lines.append("ACK \(last)\n")
      isOver = true
    }
    hasCommon = false
    hasOther = false
    return lines
  }

  /// The client has said all.
  func done() -> [String] {
    guard commonCount > 0, let last else { return ["NAK\n"] }
    return acknowledgement == .single ? [] : ["ACK \(last)\n"]
  }
}

extension UploadOutput {
  func packets(_ lines: [String]) throws {
    for line in lines { try packet(line) }
    try flush()
  }
}

/// What a client may ask for.
struct UploadAccess {
  private let settings: UploadSettings
  private let graph: CommitGraph
  private let tips: Set<ObjectID>
  private var reachable: Set<CommitGraph.Node>?

  init(refs: UploadRefs, settings: UploadSettings, graph: CommitGraph) {
    self.settings = settings
    self.graph = graph
    var tips = Set(refs.all.map(\.id))
    if settings.allowTipInWant || settings.allowReachableInWant || settings.allowAnyInWant {
      tips.formUnion(refs.hidden)
    }
    self.tips = tips
  }

  mutating func allows(_ number: ObjectNumber, _ id: ObjectID, isVersion2: Bool) throws -> Bool {
    if tips.contains(id) || settings.allowAnyInWant || (isVersion2 && settings.allowAnyInVersion2) { return true }
    guard isVersion2 || settings.allowReachableInWant else { return false }
    guard try graph.store.kind(of: number) == .commit else { return false }
    if reachable == nil {
      var walk = CommitWalk(graph)
      let nodes = try tips.sorted().compactMap { try graph.store.number(of: $0) }.compactMap {
        try graph.node(peeling: $0)
      }
      reachable = Set(try walk.run(from: nodes, without: []))
    }
    return reachable?.contains(try graph.node(number)) ?? false
  }
}
