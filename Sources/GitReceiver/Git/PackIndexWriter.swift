import Crypto
import Glibc
import Linux

/// Writes a pack's index, version 2 (gitformat-pack(5), "Version 2 pack-*.idx files").
enum PackIndexWriter {
  /// One object of the pack.
  struct Entry {
    var id: ObjectID
    var offset: UInt64
    /// CRC-32 of the stored bytes, header included.
    var checksum: UInt32
  }

  /// `entries` sorted by id, `pack` the pack's own checksum. The file is made new, readable by all, and not yet synced.
  static func write(
    _ entries: some RandomAccessCollection<Entry>, pack: [UInt8], to path: String
  ) throws {
    let descriptor = try checked("create '\(path)'") {
      open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o444)
    }
    defer { close(descriptor) }
    var output = HashedOutput(descriptor: descriptor, name: path)
    try output.write([0xFF, 0x74, 0x4F, 0x63])
    try output.write(UInt32(2))
    try fanout(entries, to: &output)
    for entry in entries { try output.write(entry.id) }
    for entry in entries { try output.write(entry.checksum) }
    var large: [UInt64] = []
    for entry in entries {
      if entry.offset < 1 << 31 {
        try output.write(UInt32(entry.offset))
      } else {
        try output.write(UInt32(1 << 31) | UInt32(large.count))
        large.append(entry.offset)
      }
    }
    for offset in large {
      try output.write(UInt32(offset >> 32))
      try output.write(UInt32(truncatingIfNeeded: offset))
    }
    try output.write(pack)
    try output.finish()
  }

  /// How many ids begin with a byte of at most 0, 1, … 255.
  private static func fanout(_ entries: some Collection<Entry>, to output: inout HashedOutput) throws {
    var counts = [UInt32](repeating: 0, count: 256)
    for entry in entries { counts[entry.id.firstByte] += 1 }
    var sum: UInt32 = 0
    for count in counts {
      sum += count
      try output.write(sum)
    }
  }
}

/// A file that ends with the SHA-1 of what is in it.
private struct HashedOutput {
  let descriptor: Int32
  let name: String
  private var pending: [UInt8] = []
  private var hash = Insecure.SHA1()

  init(descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
    pending.reserveCapacity(Self.full + 64)
  }

  private static let full = 64 << 10

  mutating func write(_ bytes: [UInt8]) throws {
    pending.append(contentsOf: bytes)
    if pending.count >= Self.full { try flush() }
  }

  mutating func write(_ number: UInt32) throws {
    withUnsafeBytes(of: number.bigEndian) { pending.append(contentsOf: $0) }
    if pending.count >= Self.full { try flush() }
  }

  mutating func write(_ id: ObjectID) throws {
    id.withBytes { pending.append(contentsOf: $0) }
    if pending.count >= Self.full { try flush() }
  }

  mutating func finish() throws {
    try flush()
    try Files.writeAll(Array(hash.finalize()), to: descriptor, name: name)
  }

  private mutating func flush() throws {
    hash.update(data: pending)
    try Files.writeAll(pending, to: descriptor, name: name)
    pending.removeAll(keepingCapacity: true)
  }
}
