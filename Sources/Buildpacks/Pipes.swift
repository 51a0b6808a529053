internal import CLinux
internal import Glibc
internal import Linux

/// Both ends of a pipe, closed once each.
final class Pipe: @unchecked Sendable {
  // Unchecked: the ends change only when they are closed, each by the one task or thread that uses it.
  private(set) var readEnd: Int32
  private(set) var writeEnd: Int32

  init() throws(SystemError) {
    var ends: [Int32] = [-1, -1]
    try checkedNegative("make a pipe") { paas_pipe(&ends) }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  /// The child has its own copy: when that is gone too, the reader sees the end.
  func closeWriteEnd() {
    if writeEnd >= 0 { close(writeEnd) }
    writeEnd = -1
  }

  /// For a pipe that the child reads.
  func closeReadEnd() {
    if readEnd >= 0 { close(readEnd) }
    readEnd = -1
  }

  deinit {
    closeWriteEnd()
    closeReadEnd()
  }
}

/// Calls `body` with each chunk until the end of file.
func readChunks(_ descriptor: Int32, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
  try withUnsafeTemporaryAllocation(byteCount: 128 << 10, alignment: 16) { buffer in
    while true {
      let count = try checked("read from the worker") { read(descriptor, buffer.baseAddress, buffer.count) }
      if count == 0 { return }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }
}

/// Reads to the end of file; what is longer than the limit throws EFBIG.
func readAll(_ descriptor: Int32, limit: Int) throws -> [UInt8] {
  var bytes: [UInt8] = []
  try readChunks(descriptor) { chunk in
    guard bytes.count + chunk.count <= limit else { throw SystemError("read more than \(limit) bytes", EFBIG) }
    bytes.append(contentsOf: chunk)
  }
  return bytes
}
