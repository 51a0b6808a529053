import Glibc
import Linux

/// Names an object within one ``PackStore``: packed ones count from 0, loose ones from ``firstLoose``.
typealias ObjectNumber = UInt32

/// All objects of a repository, read from its packs directly: for speed, where libgit2 is for comfort. Also those of
/// its alternates and, when asked, of a quarantine. What is not in a pack comes from libgit2. For one thread.
///
/// An object that is in several packs has one number, that of the first pack: packs are complete in themselves, so
/// deltas never lead from one to a later one.
final class PackStore {
  static let firstLoose: ObjectNumber = 1 << 31

  private(set) var packs: [StoredPack] = []
  /// The number of each pack's first object.
  private(set) var starts: [Int] = []
  /// How many objects are in packs, doubles included.
  private(set) var packedCount = 0

  let repository: Repository
  let reader: PackReader
  private let directories: [ObjectDirectory]
  private var known: Set<String> = []
  private var table: NumberTable?
  private var lookups = 0
  private var loose: [ObjectID] = []
  private var looseNumbers: [ObjectID: ObjectNumber] = [:]

  /// Opens the repository at `path`; with `quarantine` (a push's directory) its objects are seen too. `cacheBytes` is
  /// for bases of deltas, `objectLimit` for one inflated object. Throws ``GitError`` and `SystemError`.
  init(_ path: String, quarantine: String? = nil, cacheBytes: Int = 32 << 20, objectLimit: Int = 4 << 30) throws {
    repository = try Repository.open(path, quarantine: quarantine)
    reader = try PackReader(
      cacheBytes: cacheBytes, objectLimit: objectLimit, spill: quarantine ?? "\(path)/objects")
    let own = [quarantine.map { "\($0)/objects" }, "\(path)/objects"].compactMap(\.self)
    directories = ObjectDirectory.all(from: own).map { ObjectDirectory(path: $0) }
    try refresh()
  }

  /// Takes in packs that were added since. Returns whether there were any.
  @discardableResult
  func refresh() throws -> Bool {
    var fresh: [StoredPack] = []
    for directory in directories where directory.hasChanged() {
      for name in directory.packs() where !known.contains(name) {
        do {
          fresh.append(try StoredPack(name))
          known.insert(name)
        } catch is SystemError {
          // Consolidated away since the directory was read: its objects are in a newer pack.
          directory.forget()
        } catch let error as GitError where error.kind == .badObjects {
          known.insert(name)  // damaged, or of another kind: libgit2 may still know what to do with it
        }
      }
    }
    for pack in fresh.sorted(by: { ($1.count, $0.name) < ($0.count, $1.name) }) {
      guard packedCount + pack.count < Int(Self.firstLoose) else { break }
      packs.append(pack)
      starts.append(packedCount)
      packedCount += pack.count
    }
    if !fresh.isEmpty { table = nil }
    return !fresh.isEmpty
  }
}

// MARK: Numbers

extension PackStore {
  /// The object's number; `nil` when it is not there. Throws ``GitError``.
  func number(of id: ObjectID) throws -> ObjectNumber? {
    if let number = packedNumber(of: id) { return number }
    if let number = looseNumbers[id] { return number }
    if try refresh(), let number = packedNumber(of: id) { return number }
    guard try repository.header(of: id) != nil else { return nil }
    let number = Self.firstLoose + ObjectNumber(loose.count)
    loose.append(id)
    looseNumbers[id] = number
    return number
  }

  /// The object is in a pack that was there when this store was opened.
  func isPacked(_ id: ObjectID) -> Bool { packedNumber(of: id) != nil }

  private func packedNumber(of id: ObjectID) -> ObjectNumber? {
    if let table { return table.find(id, self) }
    lookups += 1
    if lookups > 256, lookups > packedCount / 8 {
      let made = NumberTable(self)
      table = made
      return made.find(id, self)
    }
    for (index, pack) in packs.enumerated() {
      let position = pack.find(id)
      if position >= 0 { return ObjectNumber(starts[index] + position) }
    }
    return nil
  }

  /// The number of an object of one of the packs, as it counts everywhere.
  func number(pack: Int, position: Int) throws -> ObjectNumber {
    if packs.count == 1 { return ObjectNumber(position) }
    return packedNumber(of: packs[pack].id(at: position)) ?? ObjectNumber(starts[pack] + position)
  }

  /// Where a packed object lies.
  func place(of number: ObjectNumber) -> (pack: Int, position: Int) {
    var low = 0
    var high = starts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= Int(number) { low = middle } else { high = middle }
    }
    return (low, Int(number) - starts[low])
  }

  func id(of number: ObjectNumber) -> ObjectID {
    if number >= Self.firstLoose { return loose[Int(number - Self.firstLoose)] }
    let place = place(of: number)
    return packs[place.pack].id(at: place.position)
  }
}

// MARK: Objects

extension PackStore {
  func contains(_ id: ObjectID) throws -> Bool { try number(of: id) != nil }

  /// Kind and size without the contents; `nil` when the object is not there. Throws ``GitError``.
  func header(of id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
    guard let number = try number(of: id) else { return nil }
    return try header(of: number)
  }

  func header(of number: ObjectNumber) throws -> (kind: ObjectKind, size: Int) {
    guard number < Self.firstLoose else {
      guard let header = try repository.header(of: id(of: number)) else { throw missing(number) }
      return header
    }
    let place = place(of: number)
    let pack = packs[place.pack]
    return try reader.header(pack, try pack.offset(at: place.position))
  }

  func kind(of number: ObjectNumber) throws -> ObjectKind {
    guard number < Self.firstLoose else { return try header(of: number).kind }
    let place = place(of: number)
    let pack = packs[place.pack]
    return try reader.kind(pack, try pack.offset(at: place.position))
  }

  /// The whole object; `nil` when it is not there. Throws ``GitError``.
  func object(_ id: ObjectID) throws -> (kind: ObjectKind, data: [UInt8])? {
    guard let number = try number(of: id) else { return nil }
    return try read(number) { ($0, Array($1)) }
  }

  /// Calls `body` with the object's kind and its bytes, which are valid inside only. `body` must not read from this
  /// store; it may ask for numbers. Throws ``GitError`` when the object cannot be read.
  func read<Result>(
    _ number: ObjectNumber, _ body: (ObjectKind, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    guard number < Self.firstLoose else {
      guard let object = try repository.object(id(of: number), limit: reader.objectLimit) else { throw missing(number) }
      return try object.data.withUnsafeBytes { try body(object.kind, $0) }
    }
    let place = place(of: number)
    let pack = packs[place.pack]
    return try reader.read(pack, UInt64(place.pack), try pack.offset(at: place.position), body)
  }

  /// As ``read(_:_:)``, by id; `false` when it is not there.
  func read(_ id: ObjectID, _ body: (ObjectKind, UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    guard let number = try number(of: id) else { return false }
    try read(number, body)
    return true
  }

  private func missing(_ number: ObjectNumber) -> GitError {
    GitError(.badObjects, "object \(id(of: number)) disappeared")
  }
}

/// One `objects` directory.
private final class ObjectDirectory {
  let path: String
  private var seen = timespec()

  init(path: String) { self.path = path }

  /// Whether files were added or removed since this was last asked.
  func hasChanged() -> Bool {
    var info = stat()
    guard stat("\(path)/pack", &info) == 0 else { return false }
    defer { seen = info.st_mtim }
    return info.st_mtim.tv_sec != seen.tv_sec || info.st_mtim.tv_nsec != seen.tv_nsec
  }

  func forget() { seen = timespec() }

  /// The packs' paths without suffix.
  func packs() -> [String] {
    // A directory that cannot be read has none for us; libgit2, which is asked next, says why.
    let names = (try? Files.names(in: "\(path)/pack")) ?? []
    return names.filter { $0.hasPrefix("pack-") && $0.hasSuffix(".idx") }.sorted().map {
      "\(path)/pack/\($0.dropLast(4))"
    }
  }

  /// The directories and, five levels deep, those that their `info/alternates` name (gitrepository-layout(5)).
  static func all(from first: [String]) -> [String] {
    var found: [String] = []
    var level = first
    for _ in 0...5 {
      level = level.filter { !found.contains($0) && Files.exists($0) }
      found += level
      level = level.flatMap(alternates)
    }
    return found
  }

  private static func alternates(of directory: String) -> [String] {
    let file = "\(directory)/info/alternates"
    guard Files.exists(file) else { return [] }
    // One that cannot be read names none for us; libgit2, which is asked for what is missing, reads it again and says why.
    guard let text = try? Files.text(file, limit: 1 << 20) else { return [] }
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      line.hasPrefix("/") ? String(line) : "\(directory)/\(line)"
    }
  }
}

/// From ids to numbers: open addressing, with a multiplier that nobody outside knows.
private struct NumberTable {
  private let slots: [ObjectNumber]
  private let multiplier = UInt64.random(in: 0 ... .max) | 1
  private let shift: UInt64
  private static let empty = ObjectNumber.max

  init(_ store: PackStore) {
    var bits: UInt64 = 8
    while 1 << bits < store.packedCount * 2 { bits += 1 }
    shift = 64 - bits
    let (shift, multiplier) = (shift, multiplier)
    slots = [ObjectNumber](unsafeUninitializedCapacity: 1 << Int(bits)) { slots, count in
      slots.initialize(repeating: Self.empty)
      count = slots.count
      let mask = slots.count - 1
      for (index, pack) in store.packs.enumerated() {
        for position in 0..<pack.count {
          let id = pack.id(at: position)
          var at = Int((id.leading &* multiplier) >> shift)
          while slots[at] != Self.empty, store.id(of: slots[at]) != id { at = (at + 1) & mask }
          if slots[at] == Self.empty { slots[at] = ObjectNumber(store.starts[index] + position) }
        }
      }
    }
  }

  func find(_ id: ObjectID, _ store: PackStore) -> ObjectNumber? {
    let mask = slots.count - 1
    var at = Int((id.leading &* multiplier) >> shift)
    while slots[at] != Self.empty {
      if store.id(of: slots[at]) == id { return slots[at] }
      at = (at + 1) & mask
    }
    return nil
  }
}
