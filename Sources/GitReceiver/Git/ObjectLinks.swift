import CGit2

/// The ids in the heads of commits and tags, read as git reads them: what stands behind them does not matter.
enum ObjectLinks {
  struct Commit: Equatable {
    var tree: ObjectID
    var parents: [ObjectID]
  }

  /// `nil` when the head does not begin with `tree` and ids.
  static func commit(_ data: [UInt8]) -> Commit? { data.withUnsafeBytes { commit($0) } }

  /// `nil` when the head does not begin with `object`, `type`, `tag`.
  static func tag(_ data: [UInt8]) -> (target: ObjectID, kind: ObjectKind)? { data.withUnsafeBytes { tag($0) } }

  static func commit(_ data: UnsafeRawBufferPointer) -> Commit? {
    var head = ObjectHead(data)
    guard head.skip("tree "), let tree = head.id() else { return nil }
    var parents: [ObjectID] = []
    while data.count - head.position > 48, head.skip("parent ") {
      guard let parent = head.id() else { return nil }
      parents.append(parent)
    }
    return Commit(tree: tree, parents: parents)
  }

  static func tag(_ data: UnsafeRawBufferPointer) -> (target: ObjectID, kind: ObjectKind)? {
    var head = ObjectHead(data)
    guard data.count >= 64, head.skip("object "), let target = head.id(), head.skip("type "), let type = head.line(),
      let kind = ObjectKind(name: data[type]), head.skip("tag "), head.line() != nil
    else { return nil }
    return (target, kind)
  }
}

/// Reads the lines before an object's message.
struct ObjectHead {
  private let data: UnsafeRawBufferPointer
  private(set) var position = 0

  /// The bytes stay the caller's.
  init(_ data: UnsafeRawBufferPointer) { self.data = data }

  /// The byte at an index of the object; 0 outside.
  subscript(_ index: Int) -> UInt8 { data.indices.contains(index) ? data[index] : 0 }

  /// Goes behind `text` if it comes next.
  mutating func skip(_ text: StaticString) -> Bool {
    let length = text.utf8CodeUnitCount
    guard (0..<length).allSatisfy({ self[position + $0] == text.utf8Start[$0] }) else { return false }
    position += length
    return true
  }

  /// Goes behind the next end of line, which must be there, and returns the bytes before it.
  mutating func line() -> Range<Int>? {
    guard position < data.count, let end = data[position...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    defer { position = end + 1 }
    return position..<end
  }

  /// Reads 40 hexadecimal digits, of either case as git does, and the end of the line; `nil` for anything else.
  mutating func id() -> ObjectID? {
    var oid = git_oid()
    let start = position
    let whole = withUnsafeMutableBytes(of: &oid) { bytes in
      for index in 0..<ObjectID.length {
        guard let high = digit(start + 2 * index), let low = digit(start + 2 * index + 1) else { return false }
        bytes[index] = high << 4 | low
      }
      return true
    }
    guard whole, self[start + 40] == UInt8(ascii: "\n") else { return nil }
    position = start + 41
    return ObjectID(oid)
  }

  private func digit(_ index: Int) -> UInt8? {
    switch self[index] {
    case let byte where (0x30...0x39).contains(byte): byte & 0x0F
    case let byte where (0x61...0x66).contains(byte | 0x20): (byte & 0x0F) + 9
    default: nil
    }
  }
}
