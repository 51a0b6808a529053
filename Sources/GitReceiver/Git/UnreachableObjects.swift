/// The packed objects of a repository that nothing reaches, and until when they stay.
///
/// What one of them leads to stays as long as it does: for a push, an object that is there means that everything behind
/// it is there too (``Connectivity``).
struct UnreachableObjects {
  private let store: PackStore
  private let reachable: ObjectSelection
  /// When the object last came, or one that leads to it, in seconds since 1970; 0 for all others.
  private var newest: NumberMap<Int>
  private static let day = 24 * 60 * 60

  /// Finds them. Throws ``GitError``.
  init(_ store: PackStore, reachable: ObjectSelection) throws {
    self.store = store
    self.reachable = reachable
    newest = NumberMap(0, for: store)
    for (index, pack) in store.packs.enumerated() {
      for position in 0..<pack.count {
        let number = try store.number(pack: index, position: position)
        if !reachable.contains(number) { newest[number] = max(newest[number], pack.modified, 1) }
      }
    }
  }

  /// Makes everything that objects of this time and later lead to as young as these. What is missing was missing before.
  /// Throws ``GitError`` when an object cannot be read.
  mutating func keepLinked(since horizon: Int) throws {
    let times = newest
    let young = (0..<store.packedCount).map { ObjectNumber($0) }.filter { times[$0] > 0 && times[$0] >= horizon }
    var walked = NumberMap(false, for: store)
    for root in young.sorted(by: { times[$0] > times[$1] }) where !walked[root] {
      walked[root] = true
      var waiting = [root]
      while let number = waiting.popLast() {
        for link in try links(of: number) where !walked[link] && !reachable.contains(link) {
          walked[link] = true
          newest[link] = max(newest[link], times[root])
          waiting.append(link)
        }
      }
    }
  }

  /// What an object names and the store has. Links that cannot be read are none: they count for nobody.
  private func links(of number: ObjectNumber) throws -> [ObjectNumber] {
    guard try store.kind(of: number) != .blob else { return [] }
    let ids = try store.read(number) { kind, bytes -> [ObjectID] in
      switch kind {
      case .commit: ObjectLinks.commit(bytes).map { [$0.tree] + $0.parents } ?? []
      case .tag: ObjectLinks.tag(bytes).map { [$0.target] } ?? []
      case .tree: Self.entries(bytes)
      case .blob: []
      }
    }
    return try ids.compactMap { try store.number(of: $0) }
  }

  private static func entries(_ tree: UnsafeRawBufferPointer) -> [ObjectID] {
    guard var at = tree.baseAddress else { return [] }
    let end = at + tree.count
    var ids: [ObjectID] = []
    while let entry = RawTreeEntry(at: at, end: end) {
      if entry.kind != nil { ids.append(ObjectID(raw: entry.id)) }
      at = entry.end
    }
    return ids
  }

  /// Those of this time and later, by day, with the latest time of each; and how many are older. With `keepAll` these
  /// are on the first day.
  func divided(
    at horizon: Int, keepAll: Bool
  ) -> (young: [(modified: Int, selection: ObjectSelection)], old: Int) {
    var days: [Int: (modified: Int, selection: ObjectSelection)] = [:]
    var old = 0
    for index in 0..<store.packedCount where newest[ObjectNumber(index)] > 0 {
      let modified = newest[ObjectNumber(index)]
      guard modified >= horizon || keepAll else {
        old += 1
        continue
      }
      let day = max(modified, horizon) / Self.day
      let entry = days[day] ?? (modified, ObjectSelection(store))
      entry.selection.insert(ObjectNumber(index))
      days[day] = (max(entry.modified, modified), entry.selection)
    }
    return (days.sorted { $0.key < $1.key }.map(\.value), old)
  }
}
