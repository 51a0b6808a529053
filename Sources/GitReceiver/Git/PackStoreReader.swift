import CDeflate
import Glibc

/// Makes whole objects of what lies in packs: inflates, and applies deltas one after the other, never recursively.
final class PackReader {
  let objectLimit: Int
  private let spill: String?
  private let decompressor: OpaquePointer
  private let cache: BaseCache
  private var chain: [StoredEntry] = []
  /// Where deltas are inflated.
  private var scratch: UnsafeMutableRawPointer?
  private var scratchCount = 0

  /// git writes 4,095 at most.
  private static let longestChain = 10_000

  /// `spill`: where large objects are kept while they are read.
  init(cacheBytes: Int, objectLimit: Int, spill: String? = nil) throws {
    self.spill = spill
    guard let decompressor = libdeflate_alloc_decompressor() else {
      throw GitError(.internalError, "no memory to inflate with")
    }
    self.decompressor = decompressor
    self.objectLimit = objectLimit
    cache = BaseCache(limit: cacheBytes)
  }

  deinit {
    libdeflate_free_decompressor(decompressor)
    free(scratch)
  }

  /// Calls `body` with the object whose entry begins at `offset`; `number` tells packs apart. See ``PackStore``.
  func read<Result>(
    _ pack: StoredPack, _ number: UInt64, _ offset: Int,
    _ body: (ObjectKind, UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    var object = try base(pack, number, offset)
    do {
      while let delta = chain.popLast() {
        let next = try apply(delta, pack, to: object.buffer)
        if object.isOwned { cache.insert(Self.key(number, object.offset), object.buffer) }
        object = Found(buffer: next, offset: delta.offset, isOwned: true)
      }
      let result = try body(object.buffer.kind, object.buffer.bytes)
      // The next tree is most likely a delta against this one.
      if object.isOwned, object.buffer.kind == .tree {
        cache.insert(Self.key(number, object.offset), object.buffer)
      } else if object.isOwned {
        object.buffer.release()
      }
      return result
    } catch {
      if object.isOwned { object.buffer.release() }
      throw error
    }
  }

  private struct Found {
    var buffer: ObjectBuffer
    var offset: Int
    /// Not the cache's.
    var isOwned: Bool
  }

  private static func key(_ pack: UInt64, _ offset: Int) -> UInt64 { pack << 48 | UInt64(offset) }

  /// Goes down the chain of deltas, which it leaves in `chain`, to an object that is at hand or whole.
  private func base(_ pack: StoredPack, _ number: UInt64, _ offset: Int) throws -> Found {
    chain.removeAll(keepingCapacity: true)
    var at = offset
    while true {
      if let buffer = cache.find(Self.key(number, at)) { return Found(buffer: buffer, offset: at, isOwned: false) }
      let entry = try pack.entry(at: at)
      if let kind = ObjectKind(rawValue: entry.type) {
        guard entry.size <= objectLimit else { throw tooLarge(entry.size) }
        let buffer = try ObjectBuffer(kind: kind, count: entry.size, spill: spill)
        do { try inflate(entry, pack, into: buffer.start) } catch {
          buffer.release()
          throw error
        }
        return Found(buffer: buffer, offset: at, isOwned: true)
      }
      guard chain.count < Self.longestChain else { throw pack.torn("has a chain of deltas without an end") }
      chain.append(entry)
      at = try baseOffset(of: entry, pack)
    }
  }

  private func baseOffset(of entry: StoredEntry, _ pack: StoredPack) throws(GitError) -> Int {
    if entry.type == 6 { return entry.base }
    let position = pack.find(pack.baseID(of: entry))
    guard position >= 0 else { throw pack.torn("has a delta against an object that is not in it") }
    return try pack.offset(at: position)
  }

  /// Inflates the entry to exactly the size it announces.
  private func inflate(_ entry: StoredEntry, _ pack: StoredPack, into target: UnsafeMutableRawPointer) throws(GitError)
  {
    let stored = try pack.bytes(entry.data, pack.dataEnd)
    var count = 0
    let result = libdeflate_zlib_decompress(
      decompressor, stored.baseAddress, stored.count, target, entry.size, &count)
    guard result == LIBDEFLATE_SUCCESS, count == entry.size else {
      throw pack.torn("is damaged at byte \(entry.offset)")
    }
  }

  private func delta(_ entry: StoredEntry, _ pack: StoredPack) throws(GitError) -> UnsafeRawBufferPointer {
    guard entry.size <= objectLimit else { throw tooLarge(entry.size) }
    if entry.size > scratchCount || scratch == nil {
      free(scratch)
      scratchCount = max(entry.size, 64 << 10)
      scratch = malloc(scratchCount)
    }
    guard let scratch else {
      scratchCount = 0
      throw GitError(.limit, "no memory for a delta of \(entry.size) bytes")
    }
    try inflate(entry, pack, into: scratch)
    return UnsafeRawBufferPointer(start: scratch, count: entry.size)
  }

  private func apply(_ entry: StoredEntry, _ pack: StoredPack, to base: ObjectBuffer) throws(GitError) -> ObjectBuffer {
    let delta = try delta(entry, pack)
    let size: UInt64
    do throws(GitError) { size = try Delta.resultSize(delta) } catch { throw damaged(entry, pack) }
    guard size <= UInt64(objectLimit) else { throw tooLarge(Int(clamping: size)) }
    let result = try ObjectBuffer(kind: base.kind, count: Int(size), spill: spill)
    do throws(GitError) {
      try Delta.apply(
        delta, to: base.bytes, into: UnsafeMutableRawBufferPointer(start: result.start, count: result.count))
    } catch {
      result.release()
      throw damaged(entry, pack)
    }
    return result
  }

  private func damaged(_ entry: StoredEntry, _ pack: StoredPack) -> GitError {
    pack.torn("has a damaged delta at byte \(entry.offset)")
  }

  private func tooLarge(_ size: Int) -> GitError {
    GitError(.limit, "an object has \(size) bytes, the limit is \(objectLimit)")
  }
}

// MARK: Kinds and sizes

extension PackReader {
  /// The kind of the object, which the whole base of its chain decides.
  func kind(_ pack: StoredPack, _ offset: Int) throws -> ObjectKind {
    var at = offset
    for _ in 0...Self.longestChain {
      let entry = try pack.entry(at: at)
      if let kind = ObjectKind(rawValue: entry.type) { return kind }
      at = try baseOffset(of: entry, pack)
    }
    throw pack.torn("has a chain of deltas without an end")
  }

  /// Kind and inflated size.
  func header(_ pack: StoredPack, _ offset: Int) throws -> (kind: ObjectKind, size: Int) {
    let entry = try pack.entry(at: offset)
    if let kind = ObjectKind(rawValue: entry.type) { return (kind, entry.size) }
    let delta = try delta(entry, pack)
    let size: UInt64
    do throws(GitError) { size = try Delta.resultSize(delta) } catch { throw damaged(entry, pack) }
    return (try kind(pack, offset), Int(clamping: size))
  }
}
