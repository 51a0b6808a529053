import Glibc
import Linux
import Synchronization

/// Takes a pack from a client into a directory, under limits, with every object checked; completes a thin pack from
/// the repository; and writes its index. Our own, because libgit2's must not meet a stranger's pack.
///
/// Two passes: while the pack arrives only the ends of its objects are found (``PackScan``); then several threads make
/// every object (``PackResolver``).
struct PackIndexer {
  var limits: PackLimits
  var rules: FsckRules
  /// Threads of the second pass.
  var threads: Int
  /// Who may be in the second pass at the same time.
  var turns: IndexerTurns
  /// Called once when others are in the second pass, and this pack has to wait.
  var waiting: () -> Void = {}
  /// Called about once a second in the second pass, and at its end if it was called before: `(done, all)`.
  var progress: ((Int, Int) -> Void)?
  /// Called about once a second while this pack waits, and in its second pass; what it throws ends the push.
  var check: () throws -> Void = {}
  /// How often in the second pass.
  var checkInterval: Duration = .seconds(1)
  /// Reads an object of the repository.
  let external: ReadExternal
  /// What the repository has already.
  var known: KnownObjects?

  init(
    limits: PackLimits = PackLimits(), rules: FsckRules = .strict, threads: Int = Threads.cores,
    turns: IndexerTurns = .shared, reading external: @escaping ReadExternal
  ) {
    self.limits = limits
    self.rules = rules
    self.threads = threads
    self.turns = turns
    self.external = external
  }

  /// `external`: reads an object of the repository; `nil` when it is not there.
  init(
    limits: PackLimits = PackLimits(), rules: FsckRules = .strict,
    external: @escaping (ObjectID) throws -> ReadObject? = { _ in nil }
  ) {
    self.init(limits: limits, rules: rules) { id, body in
      guard let object = try external(id) else { return false }
      try object.data.withUnsafeBytes { try body(object.kind, $0) }
      return true
    }
  }

  /// For packs that come into this repository, whose objects are compared with those that it has.
  init(limits: PackLimits = PackLimits(), rules: FsckRules = .strict, store: PackStore) {
    self.init(limits: limits, rules: rules, reading: { try store.read($0, $1) })
    known = KnownObjects(store)
  }

  /// Makes `pack-HASH.pack` and `pack-HASH.idx` in the directory; nothing for a pack without objects. The files are
  /// not synced. Throws ``GitError``; the caller then removes the directory.
  func index(_ input: ClientInput, into directory: String) throws -> PackContents {
    var limits = limits
    limits.deadline = .now + limits.time
    let path = "\(directory)/incoming.pack"
    let descriptor = try checked("create '\(path)'") {
      open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o444)
    }
    defer { close(descriptor) }
    let scan = try PackScan(try PackReceiver(input, file: descriptor, limits: limits), limits: limits)
    guard scan.table.count > 0 else {
      unlink(path)
      return PackContents()
    }
    let isSmall = scan.table.count < 1000 && scan.endOffset < 1 << 20 && scan.made < 64 << 20
    let check = {
      try limits.checkTime()
      try self.check()
    }
    return try turns.take(free: isSmall, waiting: waiting, check: check) {
      try resolve(scan, path, descriptor, directory, limits, threads: isSmall ? 1 : threads)
    }
  }

  private func resolve(
    _ scan: PackScan, _ path: String, _ descriptor: Int32, _ directory: String, _ limits: PackLimits, threads: Int
  ) throws -> PackContents {
    let pack = try MappedPack(descriptor: descriptor, count: Int(scan.endOffset))
    let resolver = try PackResolver(scan, pack: pack, limits: limits, directory: directory, known: known)
    let links = LinkBudget()
    let workers = try (0..<max(threads, 1)).map { _ in
      try PackWorker(resolver, check: ObjectCheck(rules: rules, links: links))
    }
    // It runs on the caller's thread.
    workers.first?.watch = Watch(every: checkInterval, check)
    try resolver.resolve(workers, progress)
    let bases = try resolver.resolveThin(workers, external)
    let table = scan.table
    let order = try table.sorted()
    for (one, next) in zip(order.elements, order.elements.dropFirst())
    where table.ids[Int(one)] == table.ids[Int(next)] {
      throw GitError(
        .badObjects, "object \(table.ids[Int(one)]) is in the pack twice", next: "run `git gc` and push again")
    }
    let reader = ObjectReader(resolver, order: order, bases: bases, external: external)
    let check = try finish(workers, reader)
    let contents = PackContents(table, order: order, links: check.links)
    let entries = order.elements.lazy.map { index in
      PackIndexWriter.Entry(
        id: table.ids[Int(index)], offset: table.offsets[Int(index)], checksum: table.checksums[Int(index)])
    }
    if let twice = bases.first(where: { contents.kind(of: $0) != nil }) {
      throw GitError(
        .badObjects, "object \(twice) is in the pack, and is the base of a delta that came before it",
        next: "run `git gc` and push again")
    }
    if bases.isEmpty {
      try Files.writeAll(at: scan.endOffset, scan.trailer, to: descriptor)
      try name(path, in: directory, trailer: scan.trailer) { try PackIndexWriter.write(entries, pack: $0, to: $1) }
    } else {
      var thin = ThinPack(
        descriptor: descriptor, end: scan.endOffset, limits: limits, directory: directory, external: external)
      let (all, trailer) = try thin.complete(Array(entries), with: bases)
      try name(path, in: directory, trailer: trailer) { try PackIndexWriter.write(all, pack: $0, to: $1) }
    }
    return contents
  }

  /// Joins what the threads have seen, and looks at the files that say how git behaves.
  private func finish(_ workers: [PackWorker], _ reader: ObjectReader) throws -> ObjectCheck {
    guard let check = workers.first?.check else { return ObjectCheck(rules: rules) }
    for worker in workers.dropFirst() {
      try check.merge(worker.check)
      worker.check.links.removeAll()
    }
    try check.finish(header: { try reader.header($0) }, read: { try reader.object($0) })
    return check
  }

  private func name(
    _ path: String, in directory: String, trailer: [UInt8], writeIndex: ([UInt8], String) throws -> Void
  ) throws {
    let name = "\(directory)/pack-\(ObjectID(trailer))"
    try writeIndex(trailer, "\(name).idx")
    try checked("rename '\(path)'") { rename(path, "\(name).pack") }
  }
}

/// The objects that the repository has already. One id, one object: git compares what comes again, and so do we,
/// although the hash knows of the attacks that are known. `@unchecked Sendable`: `lock` guards the store while several
/// threads run; before and after them only the caller's thread uses it.
final class KnownObjects: @unchecked Sendable {
  private let store: PackStore
  private let lock = Mutex(())
  private let isEmpty: Bool

  init(_ store: PackStore) {
    self.store = store
    isEmpty = store.packs.isEmpty
  }

  /// Throws ``GitError`` when the repository has other bytes under this id.
  func compare(_ id: ObjectID, _ kind: ObjectKind, _ data: UnsafeRawBufferPointer) throws {
    guard !isEmpty else { return }
    try lock.withLock { _ in
      guard store.isPacked(id) else { return }
      _ = try store.read(id) { known, bytes in try Self.compare(id, (kind, data), (known, bytes)) }
    }
  }

  /// Throws ``GitError`` when two objects of one id differ.
  static func compare(
    _ id: ObjectID, _ one: (kind: ObjectKind, data: UnsafeRawBufferPointer),
    _ other: (kind: ObjectKind, data: UnsafeRawBufferPointer)
  ) throws {
    var isSame = one.kind == other.kind && one.data.count == other.data.count
    if isSame, let left = one.data.baseAddress, let right = other.data.baseAddress {
      isSame = memcmp(left, right, one.data.count) == 0
    }
    guard isSame else {
      throw GitError(.badObjects, "object \(id) is in the repository with other contents: a SHA-1 collision")
    }
  }
}
