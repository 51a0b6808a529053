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
    let set = LinkSet(limit: 1000)
    let error = #expect(throws: GitError.self) {
      for number in 0..<2000 { try insert(number, .blob, into: set) }
    }
    #expect(error?.kind == .limit)
    #expect(set.count < 2000)
  }
}
