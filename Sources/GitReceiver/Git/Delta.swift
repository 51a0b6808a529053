/// Deltas of a pack (gitformat-pack(5), "Deltified representation").
enum Delta {
  /// The size of the result, as the delta's head says. Throws ``GitError`` when the head is cut short.
  static func resultSize(_ delta: UnsafeRawBufferPointer) throws(GitError) -> UInt64 {
    // git takes nothing shorter for a delta.
    guard delta.count >= 4 else { throw broken("is cut short") }
    var position = 0
    _ = try size(delta, &position)
    return try size(delta, &position)
  }

  /// Makes the object that the delta describes, in a buffer of exactly ``resultSize(_:)`` bytes.
  /// Throws ``GitError`` when the delta reaches outside its base or its result, or does not fill the result.
  static func apply(
    _ delta: UnsafeRawBufferPointer, to base: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer
  ) throws(GitError) {
    var position = 0
    guard try size(delta, &position) == UInt64(base.count) else { throw broken("is for a base of another size") }
    guard try size(delta, &position) == UInt64(result.count) else { throw broken("is for a result of another size") }
    var count = 0
    while position < delta.count {
      let piece = try instruction(delta, &position, base: base)
      guard piece.count <= result.count - count else { throw broken("makes more than it announces") }
      if let to = result.baseAddress, let from = piece.baseAddress {
        (to + count).copyMemory(from: from, byteCount: piece.count)
      }
      count += piece.count
    }
    guard count == result.count else { throw broken("makes less than it announces") }
  }

  /// The bytes that one instruction adds: from the base, or from the delta itself.
  @inline(__always)
  private static func instruction(
    _ delta: UnsafeRawBufferPointer, _ position: inout Int, base: UnsafeRawBufferPointer
  ) throws(GitError) -> UnsafeRawBufferPointer {
    let opcode = delta[position]
    position += 1
    if opcode & 0x80 == 0 {
      let length = Int(opcode)
      guard length > 0 else { throw broken("holds the reserved instruction 0") }
      guard length <= delta.count - position else { throw broken("is cut short") }
      defer { position += length }
      return UnsafeRawBufferPointer(rebasing: delta[position..<(position + length)])
    }
    var offset = 0
    var length = 0
    for bit in 0..<7 where opcode & (1 << UInt8(bit)) != 0 {
      guard position < delta.count else { throw broken("is cut short") }
      if bit < 4 {
        offset |= Int(delta[position]) << (8 * bit)
      } else {
        length |= Int(delta[position]) << (8 * (bit - 4))
      }
      position += 1
    }
    if length == 0 { length = 0x10000 }
    guard offset <= base.count, length <= base.count - offset else { throw broken("copies from outside its base") }
    return UnsafeRawBufferPointer(rebasing: base[offset..<(offset + length)])
  }

  /// A size in groups of seven bits, the lowest first.
  private static func size(_ delta: UnsafeRawBufferPointer, _ position: inout Int) throws(GitError) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard position < delta.count, shift < 63 else { throw broken("has no readable size") }
      let byte = delta[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      shift += 7
      if byte & 0x80 == 0 { return value }
    }
  }

  private static func broken(_ how: String) -> GitError { GitError(.badObjects, "a delta in the pack \(how)") }
}
