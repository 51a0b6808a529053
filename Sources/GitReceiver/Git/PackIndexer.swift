import CDeflate
import Glibc
import Linux

/// What a pack holds, for the check of connectivity.
struct PackContents: Sendable {
  /// Sorted.
  private let ids: [ObjectID]
  private let kinds: [ObjectKind]

  init(_ objects: [(id: ObjectID, kind: ObjectKind)] = []) {
    let sorted = objects.sorted { $0.id < $1.id }
    ids = sorted.map(\.id)
    kinds = sorted.map(\.kind)
  }

  var count: Int { ids.count }
  var objects: [(id: ObjectID, kind: ObjectKind)] { Array(zip(ids, kinds)).map { ($0.0, $0.1) } }

  func kind(of id: ObjectID) -> ObjectKind? {
    var low = 0
    var high = ids.count
    while low < high {
      let middle = (low + high) / 2
      if ids[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low < ids.count && ids[low] == id ? kinds[low] : nil
  }
}

/// Takes a pack from a client into a directory, under limits, with every object checked; completes a thin pack from
/// the repository; and writes its index. Our own, because libgit2's must not meet a stranger's pack.
struct PackIndexer {
  let limits: PackLimits
  let check: ObjectCheck
  /// Reads an object of the repository; `nil` when it is not there.
  let external: (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])?

  init(
    limits: PackLimits = PackLimits(), check: ObjectCheck = ObjectCheck(),
    external: @escaping (ObjectID) throws -> (kind: ObjectKind, data: [UInt8])? = { _ in nil }
  ) {
    self.limits = limits
    self.check = check
    self.external = external
  }

  /// Makes `pack-HASH.pack` and `pack-HASH.idx` in the directory; nothing for a pack without objects. The files are
  /// not synced. Throws ``GitError``; the caller then removes the directory.
  func index(_ input: ClientInput, into directory: String) throws -> PackContents {
    let path = "\(directory)/incoming.pack"
    let descriptor = try checked("create '\(path)'") {
      open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o444)
    }
    defer { close(descriptor) }
    var scan = PackScan(limits: limits)
    try scan.read(try PackReceiver(input, file: descriptor, limits: limits), check: check)
    let pack = try PackFile(descriptor: descriptor)
    var resolver = DeltaResolver(scan, pack: pack, limits: limits, check: check, external: external)
    try resolver.resolve()

    var entries = resolver.scan.entries.sorted { $0.id < $1.id }
    for (entry, next) in zip(entries, entries.dropFirst()) where entry.id == next.id {
      throw GitError(.badObjects, "object \(entry.id) is in the pack twice", next: "run `git gc` and push again")
    }
    guard !entries.isEmpty else {
      unlink(path)
      return PackContents()
    }
    let contents = PackContents(entries.compactMap { entry in entry.kind.map { (entry.id, $0) } })
    // A base that deltas of the pack make again: written as it is, the pack would be a circle.
    if let base = resolver.externalBases.first(where: { contents.kind(of: $0) != nil }) {
      throw GitError(
        .badObjects, "object \(base) is the base of a delta that makes it", next: "run `git gc` and push again")
    }
    let trailer = try complete(pack, scan: resolver.scan, with: resolver.externalBases, entries: &entries)
    let name = "\(directory)/pack-\(ObjectID(trailer))"
    try PackIndexWriter.write(entries, pack: trailer, to: "\(name).idx")
    try checked("rename '\(path)'") { rename(path, "\(name).pack") }
    return contents
  }

  /// Appends the bases that a thin pack left out, and the checksum. Returns the checksum.
  private func complete(
    _ pack: PackFile, scan: PackScan, with bases: [ObjectID], entries: inout [PackEntry]
  ) throws -> [UInt8] {
    var end = scan.endOffset
    guard !bases.isEmpty else {
      try pack.write(scan.trailer, at: end)
      return scan.trailer
    }
    for id in bases {
      guard let object = try external(id) else { throw GitError(.internalError, "object \(id) disappeared") }
      let header = PackEntryType.header(object.kind, size: object.data.count)
      let stored = try header + object.data.withUnsafeBytes { try deflated($0) }
      try pack.write(stored, at: end)
      let checksum = stored.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
      entries.append(
        PackEntry(
          offset: end, id: id, size: UInt32(object.data.count), checksum: checksum, kind: object.kind,
          headerLength: UInt8(header.count), depth: 0))
      end += UInt64(stored.count)
    }
    entries.sort { $0.id < $1.id }
    try pack.write((0..<4).map { UInt8(truncatingIfNeeded: entries.count >> (24 - 8 * $0)) }, at: 8)
    let trailer = try pack.hash(length: end)
    try pack.write(trailer, at: end)
    return trailer
  }
}
