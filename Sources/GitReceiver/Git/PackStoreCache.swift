import Glibc

/// Bytes of one object in memory of their own.
struct ObjectBuffer {
  var kind: ObjectKind
  let start: UnsafeMutableRawPointer
  let count: Int
  private let isMapped: Bool

  /// A large one lies in an unnamed file of `spill`, if there is such a directory and it can be written.
  /// Throws ``GitError`` when there is no memory.
  init(kind: ObjectKind, count: Int, spill: String?) throws(GitError) {
    self.kind = kind
    self.count = count
    if let spill, count > PackLimits.largeObject, let mapped = try? mapTemporaryFile(of: count, in: spill) {
      // Where it cannot be mapped, memory will do: a reader need not be able to write to the repository.
      start = mapped
      isMapped = true
      return
    }
    isMapped = false
    guard let start = malloc(max(count, 1)) else {
      throw GitError(.limit, "no memory for an object of \(count) bytes")
    }
    self.start = start
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  func release() {
    if isMapped { munmap(start, count) } else { free(start) }
  }
}

/// Objects that others are deltas against, up to a number of bytes. One place per hash: a newcomer throws out who is
/// there; above the limit a hand goes round and throws out whoever was not asked for since it came by.
final class BaseCache {
  private struct Slot {
    var key: UInt64 = 0
    var buffer: ObjectBuffer?
    var used = false
  }

  private let slots: UnsafeMutablePointer<Slot>
  private static let bits: UInt64 = 14
  private static let count = 1 << Int(bits)
  private let limit: Int
  private var held = 0
  private var hand = 0

  /// `limit` in bytes.
  init(limit: Int) {
    self.limit = limit
    slots = .allocate(capacity: Self.count)
    slots.initialize(repeating: Slot(), count: Self.count)
  }

  deinit {
    for index in 0..<Self.count { slots[index].buffer?.release() }
    slots.deallocate()
  }

  private static func place(_ key: UInt64) -> Int { Int((key &* 0x9E37_79B9_7F4A_7C15) >> (64 - bits)) }

  /// Valid until the next ``insert(_:_:)``.
  func find(_ key: UInt64) -> ObjectBuffer? {
    let index = Self.place(key)
    guard slots[index].key == key, let buffer = slots[index].buffer else { return nil }
    slots[index].used = true
    return buffer
  }

  /// Takes the buffer over; what is too large is released at once.
  func insert(_ key: UInt64, _ buffer: ObjectBuffer) {
    guard buffer.count <= limit / 4 else { return buffer.release() }
    let index = Self.place(key)
    drop(index)
    slots[index] = Slot(key: key, buffer: buffer)
    held += buffer.count
    while held > limit {
      hand = (hand + 1) & (Self.count - 1)
      if slots[hand].used { slots[hand].used = false } else if hand != index { drop(hand) }
    }
  }

  private func drop(_ index: Int) {
    guard let buffer = slots[index].buffer else { return }
    held -= buffer.count
    buffer.release()
    slots[index] = Slot()
  }
}
