import Glibc
import Linux

/// Room for as many elements as a pack announces, in pages that the kernel gives only when they are written: what a
/// lying header announces costs nothing.
final class ReservedArray<Element: BitwiseCopyable> {
  let elements: UnsafeMutableBufferPointer<Element>
  private let length: Int

  /// Elements begin as zero bytes. Throws `SystemError` when the address space is used up.
  init(capacity: Int) throws {
    length = max(capacity, 1) * MemoryLayout<Element>.stride
    let memory = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let memory, memory != MAP_FAILED else { throw SystemError("reserve \(length) bytes") }
    elements = UnsafeMutableBufferPointer(
      start: memory.bindMemory(to: Element.self, capacity: capacity), count: capacity)
  }

  deinit { munmap(elements.baseAddress, length) }

  subscript(index: Int) -> Element {
    get { elements[index] }
    set { elements[index] = newValue }
  }
}

/// Every object of a pack while it is indexed, field by field, in the order of the pack. One thread fills it while the
/// pack arrives; then several threads find out what the objects are, each writing the fields of its own objects only.
/// `@unchecked Sendable`: that split, kept by ``PackResolver``, is the lock.
final class PackTable: @unchecked Sendable {
  static let none: Int32 = -1
  /// In ``bases``: the base is named by its id.
  static let byID: Int32 = -2

  private(set) var count = 0
  /// Where each header begins; one more at the end: where the last object ends.
  let offsets: ReservedArray<UInt64>
  /// Inflated bytes of what is stored: the object, or the delta.
  let sizes: ReservedArray<UInt32>
  /// CRC-32 of the stored bytes, header included.
  let checksums: ReservedArray<UInt32>
  /// From the header to the zlib stream.
  let headerLengths: ReservedArray<UInt8>
  /// ``ObjectKind`` as a number; 0: a delta that is not resolved yet.
  let kinds: ReservedArray<UInt8>
  /// Of a delta: the index of its base, ``byID``, or ``none``: stored whole. Resolved deltas by id name theirs too; a
  /// base outside the pack is `-3 - its place` in the resolver's list.
  let bases: ReservedArray<Int32>
  let ids: ReservedArray<ObjectID>
  /// The first delta on top of this object, and the next one on the same base: set by ``linkChildren()``.
  let firstChild: ReservedArray<Int32>
  let nextSibling: ReservedArray<Int32>

  init(capacity: Int) throws {
    offsets = try ReservedArray(capacity: capacity + 1)
    sizes = try ReservedArray(capacity: capacity)
    checksums = try ReservedArray(capacity: capacity)
    headerLengths = try ReservedArray(capacity: capacity)
    kinds = try ReservedArray(capacity: capacity)
    bases = try ReservedArray(capacity: capacity)
    ids = try ReservedArray(capacity: capacity)
    firstChild = try ReservedArray(capacity: capacity)
    nextSibling = try ReservedArray(capacity: capacity)
  }

  /// What the first pass knows of one object.
  struct Entry {
    var offset: UInt64
    var size: UInt32
    var checksum: UInt32
    var headerLength: UInt8
    var kind: UInt8
    var base: Int32
  }

  /// There is room: the table was made for as many objects as come.
  func append(_ entry: Entry, end: UInt64) {
    offsets[count] = entry.offset
    offsets[count + 1] = end
    sizes[count] = entry.size
    checksums[count] = entry.checksum
    headerLengths[count] = entry.headerLength
    kinds[count] = entry.kind
    bases[count] = entry.base
    count += 1
  }

  /// The bytes of the pack that hold the object's zlib stream.
  func stored(_ index: Int) -> Range<Int> {
    Int(offsets[index]) + Int(headerLengths[index])..<Int(offsets[index + 1])
  }

  /// The object whose header is at this offset.
  func index(ofOffset offset: UInt64) -> Int? {
    let place = firstPlace(in: count) { offsets[$0] >= offset }
    return place < count && offsets[place] == offset ? place : nil
  }

  /// Links each object to the deltas on top of it, the one that carries most last: whoever goes depth first may let go
  /// of a base before its last delta, and so never holds more than the logarithm of the number of objects.
  func linkChildren() throws {
    let weights = try ReservedArray<UInt32>(capacity: count)
    let heaviest = try ReservedArray<Int32>(capacity: count)
    for index in 0..<count {
      firstChild[index] = Self.none
      heaviest[index] = Self.none
    }
    // A base by offset stands before its deltas.
    for index in stride(from: count - 1, through: 0, by: -1) {
      weights[index] += 1
      let base = Int(bases[index])
      guard base >= 0 else { continue }
      weights[base] += weights[index]
      let heavy = heaviest[base]
      if heavy == Self.none || weights[index] >= weights[Int(heavy)] { heaviest[base] = Int32(index) }
    }
    for index in 0..<count where bases[index] >= 0 && heaviest[Int(bases[index])] == Int32(index) {
      nextSibling[index] = Self.none
      firstChild[Int(bases[index])] = Int32(index)
    }
    for index in stride(from: count - 1, through: 0, by: -1) {
      let base = Int(bases[index])
      guard base >= 0, heaviest[base] != Int32(index) else { continue }
      nextSibling[index] = firstChild[base]
      firstChild[base] = Int32(index)
    }
  }

  /// The objects in the order of their ids.
  func sorted() throws -> ReservedArray<Int32> {
    let order = try ReservedArray<Int32>(capacity: count)
    // By the first two bytes first, which leaves a handful to compare.
    var starts = [Int](repeating: 0, count: 1 << 16 + 1)
    for index in 0..<count { starts[ids[index].firstTwoBytes + 1] += 1 }
    for bucket in 1...1 << 16 { starts[bucket] += starts[bucket - 1] }
    var next = starts
    for index in 0..<count {
      let bucket = ids[index].firstTwoBytes
      order[next[bucket]] = Int32(index)
      next[bucket] += 1
    }
    for bucket in 0..<1 << 16 where starts[bucket + 1] - starts[bucket] > 1 {
      order.elements[starts[bucket]..<starts[bucket + 1]].sort { ids[Int($0)] < ids[Int($1)] }
    }
    return order
  }
}
