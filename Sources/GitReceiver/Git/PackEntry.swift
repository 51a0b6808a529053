/// The type before each object (gitformat-pack(5), "pack-*.pack files have the following format").
enum PackEntryType: Equatable {
  case whole(ObjectKind)
  case offsetDelta
  case referenceDelta

  init?(_ number: UInt8) {
    switch number {
    case 6: self = .offsetDelta
    case 7: self = .referenceDelta
    default:
      guard let kind = ObjectKind(rawValue: number) else { return nil }
      self = .whole(kind)
    }
  }

  /// The header of any entry: a number from 1 to 4 for whole objects (``ObjectKind``), 6 and 7 for deltas.
  static func header(_ type: UInt8, size: Int) -> [UInt8] {
    var rest = size >> 4
    var byte = type << 4 | UInt8(size & 0x0F)
    var bytes: [UInt8] = []
    while rest > 0 {
      bytes.append(byte | 0x80)
      byte = UInt8(rest & 0x7F)
      rest >>= 7
    }
    return bytes + [byte]
  }
}
