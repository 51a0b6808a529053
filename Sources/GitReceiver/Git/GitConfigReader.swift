/// Reads a blob in git's configuration syntax (git-config(1), "Syntax") setting by setting, to the first thing that
/// is none. Without a byte order mark, as git reads blobs.
struct GitConfigReader {
  /// A section's head. Its settings share it, so that what depends on its name alone is looked at once for them all.
  final class Section: Sendable {
    /// `section` in lower case, or `section.subsection` with the subsection as it stands.
    let name: [UInt8]

    init(_ name: [UInt8]) { self.name = name }
  }

  struct Setting {
    var section: Section
    /// In lower case.
    var key: [UInt8]
    /// `nil`: the key stands alone, which means true.
    var value: [UInt8]?
  }

  private let data: UnsafeRawBufferPointer
  private var position = 0
  private var section = Section([])
  private var sawEnd = false
  private var isDone = false

  private static let newline = UInt8(ascii: "\n")

  /// The bytes stay the caller's.
  init(_ data: UnsafeRawBufferPointer) { self.data = data }

  /// The next setting; `nil` at the end, and for ever after something that cannot be read.
  mutating func next() -> Setting? {
    var comment = false
    while !isDone {
      let byte = take()
      if byte == Self.newline {
        comment = false
        isDone = sawEnd
      }
      if comment || isSpace(byte) { continue }
      switch byte {
      case UInt8(ascii: "#"), UInt8(ascii: ";"): comment = true
      case UInt8(ascii: "["): isDone = !readSection()
      case _ where isLetter(byte):
        if let setting = readSetting(byte) { return setting }
        isDone = true
      default: isDone = true
      }
    }
    return nil
  }

  /// The next byte, with CR LF as one; at the end, for ever, a newline. As in git, a byte 0xFF in a blob is taken for
  /// the end, and reading goes on behind it for as long as the line does.
  private mutating func take() -> UInt8 {
    guard let byte = raw() else {
      sawEnd = true
      return Self.newline
    }
    guard byte == UInt8(ascii: "\r") else { return byte }
    let start = position
    switch raw() {
    case Self.newline: return Self.newline
    case nil: return byte
    default:
      position = start
      return byte
    }
  }

  private mutating func raw() -> UInt8? {
    guard position < data.count else { return nil }
    position += 1
    return data[position - 1] == 0xFF ? nil : data[position - 1]
  }

  /// `section]` or `section "subsection"]`.
  private mutating func readSection() -> Bool {
    var name: [UInt8] = []
    while true {
      let byte = take()
      if sawEnd { return false }
      if byte == UInt8(ascii: "]") {
        section = Section(name)
        return true
      }
      if isSpace(byte) { return readSubsection(byte, of: name) }
      guard isKey(byte) || byte == UInt8(ascii: ".") else { return false }
      name.append(lower(byte))
    }
  }

  private mutating func readSubsection(_ first: UInt8, of section: [UInt8]) -> Bool {
    var name = section
    var byte = first
    repeat {
      if byte == Self.newline { return false }
      byte = take()
    } while isSpace(byte)
    guard byte == UInt8(ascii: "\"") else { return false }
    name.append(UInt8(ascii: "."))
    while true {
      var byte = take()
      if byte == UInt8(ascii: "\"") { break }
      if byte == UInt8(ascii: "\\") { byte = take() }
      guard byte != Self.newline else { return false }
      name.append(byte)
    }
    self.section = Section(name)
    return take() == UInt8(ascii: "]")
  }

  private mutating func readSetting(_ first: UInt8) -> Setting? {
    var key = [lower(first)]
    var byte = take()
    while !sawEnd, isKey(byte) {
      key.append(lower(byte))
      byte = take()
    }
    while byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { byte = take() }
    if byte == Self.newline { return Setting(section: section, key: key, value: nil) }
    guard byte == UInt8(ascii: "="), let value = readValue() else { return nil }
    return Setting(section: section, key: key, value: value)
  }

  /// To the end of the line, without a comment and the space around; with quotes and escapes read.
  private mutating func readValue() -> [UInt8]? {
    var value: [UInt8] = []
    var spaces = 0
    var quoted = false
    var comment = false
    while true {
      let byte = take()
      if byte == Self.newline { return quoted ? nil : value }
      if comment { continue }
      if isSpace(byte), !quoted {
        if !value.isEmpty { spaces += 1 }
        continue
      }
      if !quoted, byte == UInt8(ascii: ";") || byte == UInt8(ascii: "#") {
        comment = true
        continue
      }
      value += Array(repeating: UInt8(ascii: " "), count: spaces)
      spaces = 0
      switch byte {
      case UInt8(ascii: "\""): quoted.toggle()
      case UInt8(ascii: "\\"):
        guard let meant = Self.meaning(ofEscaped: take()) else { return nil }
        value += meant
      default: value.append(byte)
      }
    }
  }

  /// Nothing for a line that goes on; `nil` for an escape that does not exist.
  private static func meaning(ofEscaped byte: UInt8) -> [UInt8]? {
    switch byte {
    case newline: []
    case UInt8(ascii: "t"): [0x09]
    case UInt8(ascii: "b"): [0x08]
    case UInt8(ascii: "n"): [newline]
    case UInt8(ascii: "\\"), UInt8(ascii: "\""): [byte]
    default: nil
    }
  }

  private func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
  private func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
  private func isKey(_ byte: UInt8) -> Bool {
    isLetter(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
  }
  private func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
