import Crypto

/// Collects the bytes of a pack in blocks, hashes them, and hands them on.
final class PackSink {
  /// Bytes of the pack so far.
  private(set) var offset = 0
  /// The block; its first ``headroom`` bytes are the receiver's to fill.
  private let block: UnsafeMutableRawBufferPointer
  private let headroom: Int
  private var used: Int
  private var hash = Insecure.SHA1()
  private let deliver: (_ block: UnsafeMutableRawBufferPointer) throws -> Void

  /// `deliver` gets blocks of up to `headroom` + `payload` bytes and has sent them when it returns.
  init(payload: Int, headroom: Int, deliver: @escaping (_ block: UnsafeMutableRawBufferPointer) throws -> Void) {
    block = .allocate(byteCount: headroom + max(payload, 64), alignment: 16)
    self.headroom = headroom
    self.deliver = deliver
    used = headroom
  }

  deinit { block.deallocate() }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    offset += bytes.count
    var rest = bytes
    while !rest.isEmpty {
      if used == block.count { try flush() }
      let count = min(rest.count, block.count - used)
      UnsafeMutableRawBufferPointer(rebasing: block[used..<(used + count)])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
      used += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  /// Adds the checksum, hands everything on, and returns the checksum.
  func finish() throws -> [UInt8] {
    try flush()
    let trailer = Array(hash.finalize())
    try write(trailer)
    try flush(hashing: false)
    return trailer
  }

  private func flush(hashing: Bool = true) throws {
    guard used > headroom else { return }
    if hashing { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: block[headroom..<used])) }
    try deliver(UnsafeMutableRawBufferPointer(rebasing: block[..<used]))
    used = headroom
  }
}
