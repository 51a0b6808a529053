import Testing

@testable import GitReceiver

@Suite("Links between objects")
struct LinkSetTests {
  private func id(_ number: Int) -> [UInt8] {
    let bytes = Array("\(number)".utf8)
    return FsckObjects.id(.blob, bytes)
  }

  private func insert(_ number: Int, _ kind: ObjectKind, into set: LinkSet) throws {
    try id(number).withUnsafeBytes { try set.insert(try #require($0.baseAddress), kind) }
  }

  private func contents(_ set: LinkSet) -> Set<String> {
    var found: Set<String> = []
    set.forEach { pointer, kind in
      let id = ObjectID(UnsafeRawBufferPointer(start: pointer, count: 20))
      #expect(found.insert("\(id) \(kind.name)").inserted)
    }
    return found
  }

  @Test("each id and kind is held once, over many doublings of the table")
  func many() throws {
    let set = LinkSet()
    for _ in 0..<2 {
      for number in 0..<5000 { try insert(number, .blob, into: set) }
    }
    for number in 0..<100 { try insert(number, .tree, into: set) }
    #expect(set.count == 5100)
    let expected = (0..<5000).map { "\(ObjectID(id($0))) blob" } + (0..<100).map { "\(ObjectID(id($0))) tree" }
    #expect(contents(set) == Set(expected))
  }

  @Test("merged sets hold what each held")
  func merge() throws {
    let one = LinkSet()
    let two = LinkSet()
    for number in 0..<3000 { try insert(number, .blob, into: number % 2 == 0 ? one : two) }
    try insert(0, .tree, into: two)
    try insert(0, .blob, into: two)
    try one.merge(two)
    #expect(one.count == 3001)
    #expect(two.count == 1502)
    #expect(contents(one).isSuperset(of: contents(two)))
    try one.merge(LinkSet())
    one.removeAll()
    #expect(one.count == 0)
    #expect(contents(one).isEmpty)
  }

  @Test("the zero id is a link like any other")
  func zero() throws {
    let set = LinkSet()
    try [UInt8](repeating: 0, count: 20).withUnsafeBytes { try set.insert(try #require($0.baseAddress), .commit) }
    #expect(contents(set) == ["\(String(repeating: "0", count: 40)) commit"])
  }

  @Test("a set takes no more memory than its limit allows")
  func limit() throws {
    let set = LinkSet(budget: LinkBudget(limit: 1000))
    let error = #expect(throws: GitError.self) {
      for number in 0..<2000 { try insert(number, .blob, into: set) }
    }
    #expect(error?.kind == .limit)
    #expect(set.count < 2000)
  }

  @Test("sets share one limit, and get back what others let go of")
  func sharedLimit() throws {
    let budget = LinkBudget(limit: 10_000)
    let sets = (0..<4).map { _ in LinkSet(budget: budget) }
    var inserted = 0
    let error = #expect(throws: GitError.self) {
      for number in 0..<100_000 {
        try insert(number, .blob, into: sets[number % 4])
        inserted += 1
      }
    }
    #expect(error?.kind == .limit)
    #expect(error?.message.contains("10000") == true)
    #expect(inserted > 10_000 && inserted < 25_000)
    for set in sets.dropFirst() { set.removeAll() }
    for number in 0..<10_000 { try insert(number, .blob, into: sets[1]) }
    #expect(sets[1].count == 10_000)
  }

  @Test("what two sets both hold counts once when they are merged, and a set that goes away counts no more")
  func mergeWithinLimit() throws {
    let budget = LinkBudget(limit: 4500)
    for _ in 0..<10 {
      let one = LinkSet(budget: budget)
      let two = LinkSet(budget: budget)
      for number in 0..<2500 {
        try insert(number, .blob, into: one)
        try insert(number + 1000, .blob, into: two)
      }
      try one.merge(two)
      two.removeAll()
      #expect(one.count == 3500)
    }
  }
}
