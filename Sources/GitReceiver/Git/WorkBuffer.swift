import Glibc
import Linux

/// The bytes of one object while it is looked at: in memory, or, for a large one, in a file without a name that is
/// mapped, so that the kernel may write it out instead of keeping it.
final class WorkBuffer {
  private let memory: UnsafeMutableRawBufferPointer
  let isMapped: Bool
  fileprivate(set) var count: Int

  var capacity: Int { memory.count }
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[0..<count]) }
  var writable: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: memory[0..<count]) }

  /// Only the first bytes count from now on.
  func shrink(to count: Int) { self.count = min(self.count, max(count, 0)) }

  fileprivate init(heap capacity: Int, count: Int) {
    memory = .allocate(byteCount: capacity, alignment: 16)
    isMapped = false
    self.count = count
  }

  /// In a file of `directory`. Throws `SystemError`, above all when the disk is full.
  fileprivate init(mapped count: Int, in directory: String) throws {
    memory = UnsafeMutableRawBufferPointer(start: try mapTemporaryFile(of: count, in: directory), count: count)
    isMapped = true
    self.count = count
  }

  deinit {
    if isMapped { munmap(memory.baseAddress, memory.count) } else { memory.deallocate() }
  }
}

/// Memory in a file without a name, which the kernel may write out; the caller unmaps it. Throws `SystemError`.
func mapTemporaryFile(of count: Int, in directory: String) throws -> UnsafeMutableRawPointer {
  var name = Array("\(directory)/object.XXXXXX".utf8CString)
  let file = try checked("make a temporary file in '\(directory)'") { mkstemp(&name) }
  defer { close(file) }
  try checked("keep a temporary file to this process") { fcntl(file, F_SETFD, FD_CLOEXEC) }
  unlink(&name)
  // Room on the disk is claimed now: without it a write to the mapping would end the process.
  let failure = posix_fallocate(file, 0, off_t(count))
  guard failure == 0 else { throw SystemError("make room for an object of \(count) bytes", failure) }
  guard let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), start != MAP_FAILED else {
    throw SystemError("map a temporary file of \(count) bytes")
  }
  return start
}

/// One thread's buffers, used again and again: allocating each anew costs more than filling it.
final class BufferPool {
  private let directory: String
  /// Free ones by the power of two of their capacity.
  private var free: [[WorkBuffer]]
  private var freeBytes = 0
  private static let smallest = 10

  /// Large objects go to files of `directory`.
  init(directory: String) {
    self.directory = directory
    free = Array(repeating: [], count: Int.bitWidth)
  }

  /// A buffer of `count` bytes, in no defined state.
  func take(_ count: Int) throws -> WorkBuffer {
    guard count <= PackLimits.largeObject else { return try WorkBuffer(mapped: count, in: directory) }
    let power = Self.power(count)
    if let buffer = free[power].popLast() {
      buffer.count = count
      freeBytes -= buffer.capacity
      return buffer
    }
    return WorkBuffer(heap: 1 << power, count: count)
  }

  /// Nobody else holds the buffer any more.
  func give(_ buffer: WorkBuffer) {
    guard !buffer.isMapped, freeBytes + buffer.capacity <= 4 << 20 else { return }
    freeBytes += buffer.capacity
    free[Self.power(buffer.capacity)].append(buffer)
  }

  private static func power(_ count: Int) -> Int {
    count <= 1 << smallest ? smallest : Int.bitWidth - (count - 1).leadingZeroBitCount
  }
}
