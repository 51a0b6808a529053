/// Reads a file in git's configuration syntax (git-config(1), "Syntax") setting by setting, to the first thing that
/// is none.
struct GitConfigReader {
  struct Setting: Equatable {
    /// `section.key` or `section.subsection.key`; section and key in lower case.
    var key: [UInt8]
    /// `nil`: the key stands alone, which means true.
    var value: [UInt8]?
  }

  private let data: UnsafeRawBufferPointer
  private var position = 0
  private var section: [UInt8] = []
  private var isAtEnd = false

  private static let newline = UInt8(ascii: "\n")

  /// The bytes stay the caller's. A byte order mark at the start does not count.
  init(_ data: UnsafeRawBufferPointer) {
    self.data = data
    if data.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  /// The next setting; `nil` at the end, and for ever after something that cannot be read.
  mutating func next() -> Setting? {
    var comment = false
    while let byte = take() {
      if byte == Self.newline { comment = false }
      if comment || isSpace(byte) { continue }
      switch byte {
      case UInt8(ascii: "#"), UInt8(ascii: ";"): comment = true
      case UInt8(ascii: "["):
        guard readSection() else { return stop() }
      case _ where isLetter(byte):
        guard let setting = readSetting(byte) else { return stop() }
        return setting
      default: return stop()
      }
    }
    return nil
  }

  private mutating func stop() -> Setting? {
    position = data.count
    isAtEnd = true
    return nil
  }

  /// The next byte, with CR LF as one; once at the end a newline, then `nil`.
  private mutating func take() -> UInt8? {
    guard position < data.count else {
      defer { isAtEnd = true }
      return isAtEnd ? nil : Self.newline
    }
    var byte = data[position]
    position += 1
    if byte == UInt8(ascii: "\r"), position < data.count, data[position] == Self.newline {
      byte = Self.newline
      position += 1
    }
    return byte
  }

  /// `section]` or `section "subsection"]`.
  private mutating func readSection() -> Bool {
    section = []
    while let byte = take(), !isAtEnd {
      if byte == UInt8(ascii: "]") {
        section.append(UInt8(ascii: "."))
        return true
      }
      if isSpace(byte) { return readSubsection(byte) }
      guard isKey(byte) || byte == UInt8(ascii: ".") else { return false }
      section.append(lower(byte))
    }
    return false
  }

  private mutating func readSubsection(_ first: UInt8) -> Bool {
    var byte: UInt8? = first
    while let space = byte, isSpace(space) {
      if space == Self.newline { return false }
      byte = take()
    }
    guard byte == UInt8(ascii: "\"") else { return false }
    section.append(UInt8(ascii: "."))
    while var byte = take(), byte != Self.newline {
      if byte == UInt8(ascii: "\"") {
        section.append(UInt8(ascii: "."))
        return take() == UInt8(ascii: "]")
      }
      if byte == UInt8(ascii: "\\") {
        guard let escaped = take(), escaped != Self.newline else { return false }
        byte = escaped
      }
      section.append(byte)
    }
    return false
  }

  private mutating func readSetting(_ first: UInt8) -> Setting? {
    var key = section + [lower(first)]
    var byte = take()
    while let part = byte, isKey(part) {
      key.append(lower(part))
      byte = take()
    }
    while byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { byte = take() }
    if byte == nil || byte == Self.newline { return Setting(key: key, value: nil) }
    guard byte == UInt8(ascii: "="), let value = readValue() else { return nil }
    return Setting(key: key, value: value)
  }

  /// To the end of the line, without a comment and the space around; with quotes and escapes read.
  private mutating func readValue() -> [UInt8]? {
    var value: [UInt8] = []
    var spaces = 0
    var quoted = false
    var comment = false
    while let byte = take() {
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
        guard let escaped = take(), let meant = Self.meaning(ofEscaped: escaped) else { return nil }
        value += meant
      default: value.append(byte)
      }
    }
    return value
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
