@testable import Router

/// A head read once more, line by line, with no thought of speed.
enum FuzzedLines {
  struct Field {
    /// As it was written, without the spaces before the colon.
    let name: [UInt8]
    let value: [UInt8]
    let hasSpace: Bool

    var lower: [UInt8] { name.map(NameComparison.lower) }
    var text: [UInt8] { name + [UInt8(ascii: ":")] + value }
    var kind: FieldName { FieldName.of(name.span.bytes, ByteRange(start: 0, end: name.count)) }
    var underscored: FieldName { FieldName.ofUnderscored(name.span.bytes, ByteRange(start: 0, end: name.count)) }
  }

  /// The fields of a head that ends with an empty line; traps when a line is none.
  @discardableResult
  static func check(_ head: [UInt8]) -> [Field] {
    precondition(head.suffix(4) == [13, 10, 13, 10], "no empty line")
    var lines: [[UInt8]] = [[]]
    var index = 0
    while index < head.count {
      let byte = head[index]
      if byte == 13 {
        precondition(index + 1 < head.count && head[index + 1] == 10, "a CR alone")
        lines.append([])
        index += 2
        continue
      }
      precondition(byte == 9 || byte >= 0x20 && byte != 0x7F, "a control character")
      lines[lines.count - 1].append(byte)
      index += 1
    }
    precondition(lines.suffix(2).allSatisfy(\.isEmpty), "bytes behind the empty line")
    let fields = lines.dropFirst().dropLast(2)
    precondition(fields.allSatisfy { !$0.isEmpty }, "an empty line within")
    return fields.map(field)
  }

  private static func field(_ line: [UInt8]) -> Field {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { preconditionFailure("no colon") }
    let name = line[..<colon].reversed().drop { FieldLine.isBlank($0) }.reversed()
    precondition(!name.isEmpty && name.allSatisfy(ByteClass.isToken), "no name")
    return Field(name: Array(name), value: Array(line[(colon + 1)...]), hasSpace: name.count < colon)
  }

  /// The elements of a list, in lower case.
  static func list(_ bytes: RawSpan, _ range: ByteRange) -> [[UInt8]] {
    bytes.copy(range).split(separator: UInt8(ascii: ",")).map { element in
      let start = element.drop { FieldLine.isBlank($0) }
      return start.reversed().drop { FieldLine.isBlank($0) }.reversed().map(NameComparison.lower)
    }
  }
}
