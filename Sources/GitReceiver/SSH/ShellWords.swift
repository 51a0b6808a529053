import Platform

/// Splits the text of an SSH exec request into words, as sh(1) would quote them and as no shell would run them: quotes
/// and backslashes are understood, nothing is expanded, and `;`, `|`, `&`, `$` and their like are plain characters.
/// Nothing that comes from here ever reaches a shell.
struct ShellWords {
  /// 128 KiB: one argument of a program cannot be longer (execve(2), MAX_ARG_STRLEN).
  static let maximumLength = 128 << 10
  static let maximumWords = 512

  private var words: [String] = []
  private var word: [UInt8] = []
  private var inWord = false
  private var quote: UInt8?
  private var escaped = false

  /// Throws ``ExecRefusal`` for text that is too long, no UTF-8, holds control characters, or ends inside a quote.
  static func split(_ bytes: [UInt8]) throws(ExecRefusal) -> [String] {
    guard bytes.count <= maximumLength else {
      throw ExecRefusal("the command is longer than \(maximumLength >> 10) KiB", next: "send long values on stdin")
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw ExecRefusal("the command is no valid UTF-8", next: "send such bytes on stdin")
    }
    var splitter = ShellWords()
    for byte in bytes { try splitter.take(byte) }
    return try splitter.finish()
  }

  private mutating func take(_ byte: UInt8) throws(ExecRefusal) {
    guard byte != 0 else { throw ExecRefusal("the command holds a NUL character", next: nil) }
    if escaped {
      escaped = false
      // Inside double quotes a backslash only quotes what is special there (POSIX.1-2017, XCU 2.2.3).
      if quote != nil, !Array("\"\\$`\n".utf8).contains(byte) { word.append(UInt8(ascii: "\\")) }
      if byte != UInt8(ascii: "\n") { word.append(byte) }
      return
    }
    switch (byte, quote) {
    case (UInt8(ascii: "\\"), let open) where open != UInt8(ascii: "'"):
      escaped = true
      inWord = true
    case (_, .some(byte)):
      quote = nil
    case (_, .some):
      word.append(byte)
    case (UInt8(ascii: "'"), nil), (UInt8(ascii: "\""), nil):
      quote = byte
      inWord = true
    default:
      try takeUnquoted(byte)
    }
  }

  private mutating func takeUnquoted(_ byte: UInt8) throws(ExecRefusal) {
    if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { return try endWord() }
    guard byte >= 0x20, byte != 0x7F else {
      throw ExecRefusal(
        "the command holds a line break or a control character outside quotes",
        next: "quote the value twice, or send it on stdin")
    }
    word.append(byte)
    inWord = true
  }

  private mutating func endWord() throws(ExecRefusal) {
    guard inWord else { return }
    guard words.count < Self.maximumWords else {
      throw ExecRefusal("the command has more than \(Self.maximumWords) words", next: nil)
    }
    words.append(String(decoding: word, as: UTF8.self))
    word = []
    inWord = false
  }

  private mutating func finish() throws(ExecRefusal) -> [String] {
    guard quote == nil, !escaped else {
      throw ExecRefusal("the command ends inside a quote", next: "close the quote")
    }
    try endWord()
    return words
  }
}
