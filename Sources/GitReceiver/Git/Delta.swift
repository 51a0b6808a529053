/// Deltas of a pack (gitformat-pack(5), "Deltified representation").
enum Delta {
  /// The size of the result, as the delta's head says. Throws ``GitError`` when the head is cut short.
  static func resultSize(_ delta: UnsafeRawBufferPointer) throws(GitError) -> UInt64 {
    var position = 0
    _ = try size(delta, &position)
    return try size(delta, &position)
  }

  /// Makes the object that the delta describes. The caller has checked ``resultSize(_:)`` against its limits.
  /// Throws ``GitError`` when the delta reaches outside its base or its result, or does not fill the result.
  static func apply(_ delta: UnsafeRawBufferPointer, to base: UnsafeRawBufferPointer) throws -> [UInt8] {
    // As in git, for which a delta has two sizes and an instruction of two bytes at least.
    guard delta.count >= 4 else { throw broken("is cut short") }
    var position = 0
    let baseSize = try size(delta, &position)
    let resultSize = try size(delta, &position)
    guard baseSize == UInt64(base.count), let capacity = Int(exactly: resultSize) else {
      throw broken("is for a base of another size")
    }
    return try [UInt8](unsafeUninitializedCapacity: capacity) { result, count in
      let result = UnsafeMutableRawBufferPointer(result)
      while position < delta.count {
        let piece = try instruction(delta, &position, base: base)
        guard piece.count <= capacity - count else { throw broken("makes more than it announces") }
        UnsafeMutableRawBufferPointer(rebasing: result[count..<(count + piece.count)]).copyMemory(from: piece)
        count += piece.count
      }
      guard count == capacity else { throw broken("makes less than it announces") }
    }
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
