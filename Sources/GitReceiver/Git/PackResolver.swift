import Glibc
import Linux
import Synchronization

/// An object of the repository, read.
typealias ReadObject = (kind: ObjectKind, data: [UInt8])

/// Calls its second argument with an object of the repository, whose bytes are valid inside only. `false`: it is not
/// there.
typealias ReadExternal = (ObjectID, (ObjectKind, UnsafeRawBufferPointer) throws -> Void) throws -> Bool

/// The second pass, which several threads share: makes every object, to know its id and to check it. Each thread takes
/// whole objects off the list and goes depth first through all deltas on top of them, so no object is made twice, and
/// no two threads touch the same one.
final class PackResolver: Sendable {
  let table: PackTable
  let pack: MappedPack
  let limits: PackLimits
  /// For large objects.
  let directory: String
  /// What the repository has already.
  let known: KnownObjects?

  private let roots: [Int32]
  /// Bytes that may be inflated in all.
  private let most: UInt64
  private let next = Atomic<Int>(0)
  private let inflated = Atomic<UInt64>(0)
  private let remade = Atomic<UInt64>(0)
  private let waiting: Mutex<WaitingDeltas>
  private let failure = Mutex<(any Error)?>(nil)
  private let stopped = Atomic<Bool>(false)

  /// Deltas whose base is known by its id only, until somebody makes that base.
  private struct WaitingDeltas {
    /// Sorted, each once.
    var bases: [ObjectID] = []
    /// The first delta of each; ``PackTable/none``: taken.
    var first: [Int32] = []
  }

  private static let rootsAtOnce = 32

  /// Links the table's children. Throws `SystemError`.
  init(
    _ scan: PackScan, pack: MappedPack, limits: PackLimits, directory: String, known: KnownObjects? = nil
  ) throws {
    table = scan.table
    self.pack = pack
    self.limits = limits
    self.directory = directory
    self.known = known
    most = limits.inflated(packBytes: UInt64(pack.count))
    try table.linkChildren()
    var waiting = WaitingDeltas()
    for (base, delta) in scan.references.sorted(by: { $0.base < $1.base }) {
      if waiting.bases.last == base {
        table.nextSibling[Int(delta)] = waiting.first[waiting.first.count - 1]
        waiting.first[waiting.first.count - 1] = delta
      } else {
        table.nextSibling[Int(delta)] = PackTable.none
        waiting.bases.append(base)
        waiting.first.append(delta)
      }
    }
    hasReferences = !waiting.bases.isEmpty
    self.waiting = Mutex(waiting)
    roots = (0..<Int32(table.count)).filter { scan.table.kinds[Int($0)] != 0 }
  }

  /// Some deltas name their base by its id.
  let hasReferences: Bool

  /// Resolves all deltas whose whole base is in the pack.
  func resolve(_ workers: [PackWorker], _ progress: ((Int, Int) -> Void)? = nil) throws {
    // The first worker runs on the caller's thread: it tells how far all of them are.
    workers.first?.progress = progress.map { PackProgress(total: roots.count, $0) }
    try run(workers, count: roots.count) { worker, place in
      worker.progress?.show(place)
      try worker.resolve(root: self.roots[place])
    }
    workers.first?.progress?.finish()
  }

  /// Resolves the deltas whose base the pack does not hold, in the order of the pack: whoever comes first gets its base
  /// from the repository, and may make the next one's. Returns those bases. Throws ``GitError`` when one is nowhere.
  func resolveThin(_ workers: [PackWorker], _ external: @escaping ReadExternal) throws -> [ObjectID] {
    var used: [ObjectID] = []
    let bases = unresolved
    guard let worker = workers.first, !bases.isEmpty else { return [] }
    for id in bases {
      // An object made in between may have been the base.
      guard isWaiting(for: id) else { continue }
      try limits.checkTime()
      if try worker.resolve(external: id, place: Int32(used.count), external) { used.append(id) }
    }
    guard let missing = unresolved.first else { return used }
    throw GitError(
      .badObjects,
      "deltas in the pack have bases that are nowhere: \(unresolved.count), \(missing) is the first",
      next: "run `git fsck` in the clone, then push again")
  }

  private func run(
    _ workers: [PackWorker], count: Int, _ body: @escaping @Sendable (PackWorker, Int) throws -> Void
  ) throws {
    inParallel(workers) { worker in
      do {
        while !self.stopped.load(ordering: .relaxed) {
          let start = self.next.add(Self.rootsAtOnce, ordering: .relaxed).oldValue
          guard start < count else { return }
          try self.limits.checkTime()
          for place in start..<min(start + Self.rootsAtOnce, count) { try body(worker, place) }
        }
      } catch {
        self.stopped.store(true, ordering: .relaxed)
        self.failure.withLock { $0 = $0 ?? error }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure }
  }
}

// MARK: What the threads share

extension PackResolver {
  /// Takes the deltas that wait for this id; each set is taken once.
  func takeDeltas(waitingFor id: ObjectID) -> Int32 {
    guard hasReferences else { return PackTable.none }
    return waiting.withLock { waiting in
      guard let place = waiting.bases.place(of: id) else { return PackTable.none }
      defer { waiting.first[place] = PackTable.none }
      return waiting.first[place]
    }
  }

  private func isWaiting(for id: ObjectID) -> Bool {
    waiting.withLock { waiting in waiting.bases.place(of: id).map { waiting.first[$0] != PackTable.none } ?? false }
  }

  private var unresolved: [ObjectID] {
    waiting.withLock { waiting in
      zip(waiting.bases, waiting.first).filter { $0.1 != PackTable.none }
        .map { (base: $0.0, delta: firstDelta(of: $0.1)) }.sorted { $0.delta < $1.delta }.map(\.base)
    }
  }

  /// The first in the pack of those that wait with this one.
  private func firstDelta(of delta: Int32) -> Int32 {
    var first = delta
    var next = delta
    while next != PackTable.none {
      first = min(first, next)
      next = table.nextSibling[Int(next)]
    }
    return first
  }

  /// Counts inflated bytes against the limit. Throws ``GitError`` of kind `limit`.
  func spend(_ size: Int) throws(GitError) {
    guard inflated.add(UInt64(size), ordering: .relaxed).newValue > most else { return }
    throw limits.inflatesTooMuch(packBytes: UInt64(pack.count))
  }

  /// Counts bytes that are made a second time.
  func spendAgain(_ size: Int) throws(GitError) {
    try limits.checkTime()
    guard remade.add(UInt64(size), ordering: .relaxed).newValue > limits.remadeBytes else { return }
    throw limits.exceeded(
      .remadeBytes, "the pack's deltas need the same bases again and again", next: "run `git gc` and push again")
  }
}

extension [ObjectID] {
  /// Where the id stands in a sorted array.
  func place(of id: ObjectID) -> Int? {
    let place = firstPlace(in: count) { self[$0] >= id }
    return place < count && self[place] == id ? place : nil
  }
}

/// The first of `count` places for which `holds`, which holds for all places after it too; `count` when there is none.
@inline(__always)
func firstPlace(in count: Int, where holds: (Int) -> Bool) -> Int {
  var low = 0
  var high = count
  while low < high {
    let middle = (low + high) / 2
    if holds(middle) { high = middle } else { low = middle + 1 }
  }
  return low
}

/// A pack on disk, mapped for reading. What is mapped belongs to the quarantine: nobody else writes it.
final class MappedPack: Sendable {
  private let start: UInt
  let count: Int

  /// The first `count` bytes of the file. Throws `SystemError`.
  init(descriptor: Int32, count: Int) throws {
    guard let memory = mmap(nil, max(count, 1), PROT_READ, MAP_SHARED, descriptor, 0), memory != MAP_FAILED else {
      throw SystemError("map the quarantined pack")
    }
    madvise(memory, max(count, 1), MADV_WILLNEED)
    start = UInt(bitPattern: memory)
    self.count = count
  }

  deinit { munmap(UnsafeMutableRawPointer(bitPattern: start), max(count, 1)) }

  /// The bytes of one object; `nil` beyond the end.
  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer? {
    guard range.lowerBound >= 0, range.upperBound <= count, let memory = UnsafeRawPointer(bitPattern: start) else {
      return nil
    }
    return UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count)
  }
}
