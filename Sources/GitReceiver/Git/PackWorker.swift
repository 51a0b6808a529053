import CDeflate
import CGit2

/// One thread of the second pass. `@unchecked Sendable`: made by one thread, used by one other, and looked at again
/// when that one has ended.
final class PackWorker: @unchecked Sendable {
  /// An object with deltas on top of it that are still to be made.
  private struct Frame {
    /// In the table, or `-3 - place` of a base outside.
    let index: Int32
    let kind: ObjectKind
    let depth: Int
    /// `nil`: not held.
    var data: WorkBuffer?
    /// The next delta by offset, then by id.
    var nextChild: Int32
    var nextReference: Int32

    var next: Int32 { nextReference != PackTable.none ? nextReference : nextChild }
  }

  private let shared: PackResolver
  private let table: PackTable
  private let pool: BufferPool
  private let decompressor: OpaquePointer
  private var stack: [Frame] = []
  private var held = 0
  private typealias WithBytes = (ObjectKind, UnsafeRawBufferPointer) throws -> Void
  /// Reads the base outside the pack that is being worked on.
  private var readBase: ((WithBytes) throws -> Bool)?
  let check: ObjectCheck
  var progress: PackProgress?
  /// Looks whether somebody still wants all this.
  var watch: Watch?

  init(_ shared: PackResolver, check: ObjectCheck) throws(GitError) {
    guard let decompressor = libdeflate_alloc_decompressor() else {
      throw GitError(.internalError, "no memory to inflate with")
    }
    self.shared = shared
    self.check = check
    self.decompressor = decompressor
    table = shared.table
    pool = BufferPool(directory: shared.directory)
  }

  deinit { libdeflate_free_decompressor(decompressor) }

  /// Makes an object that is stored whole, and everything on top of it.
  func resolve(root index: Int32) throws {
    guard let kind = ObjectKind(rawValue: table.kinds[Int(index)]) else { return }
    let data = try stored(index)
    try shared.spend(data.count)
    try finish(index, data, kind, depth: 0, base: nil)
    try descend()
  }

  /// Makes everything on top of an object that the pack does not hold. `false`: the repository does not hold it either.
  func resolve(external id: ObjectID, place: Int32, _ read: @escaping ReadExternal) throws -> Bool {
    readBase = { try read(id, $0) }
    defer { readBase = nil }
    guard let object = try external() else { return false }
    try shared.spend(object.data.count)
    let data = object.data
    push(
      Frame(
        index: -3 - place, kind: object.kind, depth: 0, data: data, nextChild: PackTable.none,
        nextReference: shared.takeDeltas(waitingFor: id)))
    try descend()
    return true
  }

  private func descend() throws {
    while let frame = stack.last {
      if frame.next == PackTable.none { pop() } else { try child(frame.next) }
    }
  }

  /// Makes one delta on top of the stack's top.
  private func child(_ index: Int32) throws {
    let top = stack.count - 1
    let base = try data(ofFrame: top)
    advance(top, past: index)
    table.bases[Int(index)] = stack[top].index
    let (kind, depth) = (stack[top].kind, stack[top].depth + 1)
    guard depth <= shared.limits.deltaDepth else {
      throw shared.limits.exceeded(
        .deltaDepth, "the pack has a chain of too many deltas", next: "run `git gc` and push again")
    }
    let result = try apply(index, to: base)
    try shared.spend(result.count)
    // A base outside the pack was checked by whoever put it there, under whatever rules.
    try finish(index, result, kind, depth: depth, base: stack[top].index >= 0 ? base.bytes : nil)
    if stack[top].next == PackTable.none { release(top) }
  }

  /// Names and checks an object, and puts it on the stack if there is more on top of it.
  private func finish(
    _ index: Int32, _ data: WorkBuffer, _ kind: ObjectKind, depth: Int, base: UnsafeRawBufferPointer?
  ) throws {
    let id = try hash(data.bytes, kind: kind)
    try check.check(kind, data.bytes, id: id, like: base)
    try shared.known?.compare(id, kind, data.bytes)
    try watch?.look()
    table.ids[Int(index)] = id
    table.kinds[Int(index)] = kind.rawValue
    let frame = Frame(
      index: index, kind: kind, depth: depth, data: data, nextChild: table.firstChild[Int(index)],
      nextReference: shared.takeDeltas(waitingFor: id))
    if frame.next == PackTable.none { pool.give(data) } else { push(frame) }
  }
}

// MARK: The stack

extension PackWorker {
  private func push(_ frame: Frame) {
    stack.append(frame)
    held += frame.data?.capacity ?? 0
    shed()
  }

  private func pop() {
    release(stack.count - 1)
    stack.removeLast()
  }

  private func release(_ position: Int) {
    guard let data = stack[position].data else { return }
    held -= data.capacity
    stack[position].data = nil
    pool.give(data)
  }

  /// Lets go of bases far from the top until what is held is below the limit.
  private func shed() {
    guard held > shared.limits.heldBytes else { return }
    for position in stack.indices.dropLast(2) where held > shared.limits.heldBytes { release(position) }
  }

  private func advance(_ position: Int, past index: Int32) {
    let next = table.nextSibling[Int(index)]
    if stack[position].nextReference == index {
      stack[position].nextReference = next
    } else {
      stack[position].nextChild = next
    }
  }

  /// A frame's object: held, or made again.
  private func data(ofFrame position: Int) throws -> WorkBuffer {
    if let data = stack[position].data { return data }
    let data = try remake(stack[position].index)
    stack[position].data = data
    held += data.capacity
    shed()
    return data
  }

  /// Makes an object again, from its whole base up.
  private func remake(_ index: Int32) throws -> WorkBuffer {
    var chain: [Int32] = []
    var root = index
    while root >= 0, table.bases[Int(root)] != PackTable.none {
      chain.append(root)
      root = table.bases[Int(root)]
    }
    var data: WorkBuffer
    if root >= 0 {
      data = try stored(root)
    } else if let base = try external() {
      data = base.data
    } else {
      throw GitError(.internalError, "an object disappeared")
    }
    try shared.spendAgain(data.count)
    for delta in chain.reversed() {
      let result = try apply(delta, to: data)
      try shared.spendAgain(result.count)
      pool.give(data)
      data = result
    }
    return data
  }
}

// MARK: Bytes

extension PackWorker {
  /// What is stored of one object: itself, or a delta.
  private func stored(_ index: Int32) throws -> WorkBuffer {
    let buffer = try pool.take(Int(table.sizes[Int(index)]))
    let output = buffer.writable
    guard let input = shared.pack.bytes(table.stored(Int(index))) else { throw changed }
    var made = 0
    let result = libdeflate_zlib_decompress(
      decompressor, input.baseAddress, input.count, output.baseAddress, output.count, &made)
    guard result == LIBDEFLATE_SUCCESS, made == output.count else { throw changed }
    return buffer
  }

  private var changed: GitError { GitError(.internalError, "the quarantined pack changed under our hands") }

  private func apply(_ index: Int32, to base: WorkBuffer) throws -> WorkBuffer {
    let delta = try stored(index)
    defer { pool.give(delta) }
    let size = try Delta.resultSize(delta.bytes)
    try shared.limits.checkObject(size)
    let result = try pool.take(Int(size))
    try Delta.apply(delta.bytes, to: base.bytes, into: result.writable)
    return result
  }

  /// The base outside the pack that is being worked on; `nil` when it is not there.
  private func external() throws -> (kind: ObjectKind, data: WorkBuffer)? {
    var found: (ObjectKind, WorkBuffer)?
    _ = try readBase? { [pool] kind, bytes in
      let buffer = try pool.take(bytes.count)
      buffer.writable.copyMemory(from: bytes)
      found = (kind, buffer)
    }
    return found
  }
}

/// Calls a check not too often.
struct Watch {
  private let interval: Duration
  private let check: () throws -> Void
  private var next: ContinuousClock.Instant

  init(every interval: Duration, _ check: @escaping () throws -> Void) {
    self.interval = interval
    self.check = check
    next = .now + interval
  }

  mutating func look() throws {
    let now = ContinuousClock.now
    guard now >= next else { return }
    next = now + interval
    try check()
  }
}

/// Tells somebody how far the second pass is, not too often.
struct PackProgress {
  let total: Int
  private let tell: (Int, Int) -> Void
  private var next = ContinuousClock.now + .seconds(1)
  private var hasTold = false
  private var calls = 0

  init(total: Int, _ tell: @escaping (Int, Int) -> Void) {
    self.total = total
    self.tell = tell
  }

  mutating func show(_ done: Int) {
    calls += 1
    // Asking for the time is not free.
    guard calls % 64 == 0, ContinuousClock.now >= next else { return }
    next = .now + .seconds(1)
    hasTold = true
    tell(done, total)
  }

  func finish() {
    if hasTold { tell(total, total) }
  }
}

/// The id of an object, by libgit2's SHA-1, which detects collision attacks. Throws ``GitError``.
func hash(_ data: UnsafeRawBufferPointer, kind: ObjectKind) throws(GitError) -> ObjectID {
  var oid = git_oid()
  try git("hash a \(kind.name)") {
    git_odb_hash(&oid, data.baseAddress, data.count, git_object_t(Int32(kind.rawValue)))
  }
  return ObjectID(oid)
}
