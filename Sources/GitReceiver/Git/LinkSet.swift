import Glibc

/// What objects refer to, each id and kind once: a hash table of 24 bytes a slot in memory of its own, because a large
/// push has millions of links and hardly any of them is new.
///
/// For one thread at a time; threads fill sets of their own and merge them.
final class LinkSet {
  /// 20 bytes of id, then one bit for each kind that the id was taken for; no bit: the slot is free.
  private static let slotSize = 24
  private static let kindsOffset = 20

  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0
  private var used = 0
  private let budget: LinkBudget
  /// Slots that the budget counts for this set.
  private var charged = 0
  // Whoever pushes chooses ids in trees: without a secret they would choose them for one slot.
  private let seed: (UInt64, UInt64) = (.random(in: 0 ... .max), .random(in: 0 ... .max))

  /// Links, each kind of an id counted.
  private(set) var count = 0

  /// A set that shares what `budget` allows with others; without one, it grows as long as there is memory.
  init(budget: LinkBudget = LinkBudget(limit: .max)) { self.budget = budget }

  deinit {
    free(memory)
    budget.release(charged)
  }

  /// Adds the 20 bytes at `id` as a link to an object of that kind. Throws ``GitError`` of kind `limit`.
  @inline(__always)
  func insert(_ id: UnsafeRawPointer, _ kind: ObjectKind) throws(GitError) {
    try insert(id, kinds: 1 << UInt32(kind.rawValue))
  }

  /// Calls `body` with each link, in no order. The pointer is to 20 bytes and is valid during the call.
  func forEach<Failure: Error>(
    _ body: (UnsafeRawPointer, ObjectKind) throws(Failure) -> Void
  ) throws(Failure) {
    guard let memory else { return }
    for number in 0..<capacity {
      let slot = memory + number &* Self.slotSize
      let kinds = slot.load(fromByteOffset: Self.kindsOffset, as: UInt32.self)
      guard kinds != 0 else { continue }
      for kind in [ObjectKind.commit, .tree, .blob, .tag] where kinds & 1 << UInt32(kind.rawValue) != 0 {
        try body(UnsafeRawPointer(slot), kind)
      }
    }
  }

  /// Adds the other's links, which stays as it is, but does not count any more: the caller lets go of it. Throws
  /// ``GitError`` of kind `limit`.
  func merge(_ other: LinkSet) throws(GitError) {
    guard let memory = other.memory else { return }
    // Ids that both hold must not count twice.
    other.budget.release(other.charged)
    other.charged = 0
    for number in 0..<other.capacity {
      let slot = memory + number &* Self.slotSize
      let kinds = slot.load(fromByteOffset: Self.kindsOffset, as: UInt32.self)
      if kinds != 0 { try insert(UnsafeRawPointer(slot), kinds: kinds) }
    }
  }

  /// Lets go of all links and the memory.
  func removeAll() {
    free(memory)
    budget.release(charged)
    charged = 0
    memory = nil
    capacity = 0
    used = 0
    count = 0
  }

  @inline(__always)
  private func insert(_ id: UnsafeRawPointer, kinds: UInt32) throws(GitError) {
    if used &* 4 >= capacity &* 3 { try grow() }
    guard let memory else { return }
    let first = id.loadUnaligned(as: UInt64.self)
    let second = id.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    let third = id.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
    var number = hash(first, second, third)
    while true {
      number &= capacity &- 1
      let slot = memory + number &* Self.slotSize
      let present = slot.load(fromByteOffset: Self.kindsOffset, as: UInt32.self)
      if present == 0 {
        slot.storeBytes(of: first, as: UInt64.self)
        slot.storeBytes(of: second, toByteOffset: 8, as: UInt64.self)
        slot.storeBytes(of: third, toByteOffset: 16, as: UInt32.self)
        slot.storeBytes(of: kinds, toByteOffset: Self.kindsOffset, as: UInt32.self)
        used &+= 1
        count &+= kinds.nonzeroBitCount
        return
      }
      if slot.load(as: UInt64.self) == first, slot.load(fromByteOffset: 8, as: UInt64.self) == second,
        slot.load(fromByteOffset: 16, as: UInt32.self) == third
      {
        guard present | kinds != present else { return }
        slot.storeBytes(of: present | kinds, toByteOffset: Self.kindsOffset, as: UInt32.self)
        count &+= (present | kinds).nonzeroBitCount &- present.nonzeroBitCount
        return
      }
      number &+= 1
    }
  }

  @inline(__always)
  private func hash(_ first: UInt64, _ second: UInt64, _ third: UInt32) -> Int {
    let product = (first ^ seed.0).multipliedFullWidth(by: (second ^ UInt64(third) &<< 17) ^ seed.1)
    return Int(truncatingIfNeeded: product.high ^ product.low)
  }

  @inline(never)
  private func grow() throws(GitError) {
    let old = (memory, capacity)
    let larger = max(1024, capacity * 2)
    try budget.charge(larger - charged)
    charged = larger
    guard let table = calloc(larger, Self.slotSize) else {
      throw GitError(.internalError, "no memory for \(larger) links")
    }
    (memory, capacity, used, count) = (table, larger, 0, 0)
    defer { free(old.0) }
    guard let slots = old.0 else { return }
    for number in 0..<old.1 {
      let slot = slots + number &* Self.slotSize
      let kinds = slot.load(fromByteOffset: Self.kindsOffset, as: UInt32.self)
      if kinds != 0 { try insert(UnsafeRawPointer(slot), kinds: kinds) }
    }
  }
}
