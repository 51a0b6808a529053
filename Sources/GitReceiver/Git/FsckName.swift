/// What some file system makes of a name in a tree: HFS+ ignores case and a dozen code points, NTFS ignores case,
/// trailing dots, spaces and streams, and has short names.
struct FsckName {
  private let start: UnsafeRawPointer
  private let count: Int

  /// The name stays the caller's.
  init(_ start: UnsafeRawPointer, count: Int) {
    self.start = start
    self.count = count
  }

  /// Names without a slash that begin otherwise are nothing special on any file system. `~`: short names of NTFS
  /// without a first part; 0xE2 and 0xEF begin the code points that HFS+ ignores.
  @inline(__always)
  static func mayMatter(_ start: UnsafeRawPointer) -> Bool {
    // A name ends in NUL, so it has a second byte.
    let second = start.load(fromByteOffset: 1, as: UInt8.self)
    switch start.load(as: UInt8.self) {
    case 0x2E: return second | 0x20 == 0x67 || second == 0x2E || second == 0 || second >= 0x80
    case 0x67, 0x47: return second | 0x20 == 0x69 || second == 0x7E
    case 0x7E, 0xE2, 0xEF: return true
    default: return false
    }
  }

  /// What is wrong with the name itself, and git's message for it.
  var fault: (what: String, message: String)? {
    if contains(0x2F) { return ("'\(text)' with a '/' in its name", "fullPathname") }
    if count == 1, self[0] == 0x2E { return ("named '.'", "hasDot") }
    if count == 2, self[0] == 0x2E, self[1] == 0x2E { return ("named '..'", "hasDotdot") }
    if isDotGit { return ("named '\(text)', which some file systems take for '.git'", "hasDotgit") }
    return nil
  }

  var isModules: Bool { isHFS("gitmodules") || inPlaces { isNTFS("gitmodules", short: "gi7eba", from: $0) } }

  var isAttributes: Bool { isHFS("gitattributes") || isNTFS("gitattributes", short: "gi7d29", from: 0) }

  private var isDotGit: Bool { isHFS("git") || inPlaces { isNTFSDotGit(from: $0) } }

  private var text: String { shown(UnsafeRawBufferPointer(start: start, count: count)) }

  /// Whether it is so where the name begins for Windows: at the start, or behind a '\'.
  private func inPlaces(_ isSo: (Int) -> Bool) -> Bool {
    isSo(0) || (0..<count).contains { self[$0] == 0x5C && isSo($0 + 1) }
  }

  /// 0 behind the end.
  private subscript(_ index: Int) -> UInt8 { index < count ? start.load(fromByteOffset: index, as: UInt8.self) : 0 }

  private func contains(_ byte: UInt8) -> Bool { (0..<count).contains { self[$0] == byte } }

  // MARK: NTFS

  private func isNTFSDotGit(from place: Int) -> Bool {
    guard matches(".git", at: place) || matches("git~1", at: place) else { return false }
    var index = place + (self[place] == 0x2E ? 4 : 5)
    while true {
      switch self[index] {
      case 0, 0x5C, 0x2F, 0x3A: return true  // end, '\', '/', ':'
      case 0x2E, 0x20: index += 1
      default: return false
      }
    }
  }

  private func isNTFS(_ name: StaticString, short: StaticString, from place: Int) -> Bool {
    if self[place] == 0x2E, matches(name, at: place + 1) { return endsThere(place + 1 + name.utf8CodeUnitCount) }
    if matches(name, at: place, length: 6), self[place + 6] == 0x7E, (0x31...0x34).contains(self[place + 7]) {
      return endsThere(place + 8)
    }
    return isFallback(short, at: place) && endsThere(place + 8)
  }

  /// A short name that Windows makes of a hash when ~1 to ~4 are taken: eight bytes, some of `short`, '~', digits.
  private func isFallback(_ short: StaticString, at place: Int) -> Bool {
    var index = 0
    while index < 6, lower(self[place + index]) == short.utf8Start[index] { index += 1 }
    guard self[place + index] == 0x7E, (0x31...0x39).contains(self[place + index + 1]) else { return false }
    return (index + 2..<8).allSatisfy { (0x30...0x39).contains(self[place + $0]) }
  }

  /// Only dots and spaces, then the end or a stream's ':'.
  private func endsThere(_ place: Int) -> Bool {
    var index = place
    while self[index] == 0x2E || self[index] == 0x20 { index += 1 }
    return self[index] == 0 || self[index] == 0x3A
  }

  /// Whether the name goes on with `text`, in any case.
  private func matches(_ text: StaticString, at place: Int, length: Int? = nil) -> Bool {
    (0..<(length ?? text.utf8CodeUnitCount)).allSatisfy { lower(self[place + $0]) == text.utf8Start[$0] }
  }

  private func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

  // MARK: HFS+

  /// Whether HFS+ takes the name for `.` and `text`. What follows bytes that are no UTF-8 does not count.
  private func isHFS(_ text: StaticString) -> Bool {
    var index = 0
    guard nextHFS(&index) == 0x2E else { return false }
    for letter in 0..<text.utf8CodeUnitCount {
      guard let byte = UInt8(exactly: nextHFS(&index)), lower(byte) == text.utf8Start[letter] else { return false }
    }
    let last = nextHFS(&index)
    return last == 0 || last == 0x2F
  }

  /// The next code point that HFS+ does not ignore; 0 at the end and where there is none.
  private func nextHFS(_ index: inout Int) -> UInt32 {
    while let (point, length) = codePoint(at: index) {
      index += length
      switch point {
      case 0x200C...0x200F, 0x202A...0x202E, 0x206A...0x206F, 0xFEFF: continue
      default: return point
      }
    }
    return 0
  }

  private func codePoint(at index: Int) -> (UInt32, Int)? {
    let first = self[index]
    if first < 0x80 { return first == 0 ? nil : (UInt32(first), 1) }
    let length = first & 0xE0 == 0xC0 ? 2 : first & 0xF0 == 0xE0 ? 3 : first & 0xF8 == 0xF0 ? 4 : 0
    guard length > 0 else { return nil }
    var point = UInt32(first) & (0x7F >> UInt32(length))
    for offset in 1..<length {
      guard self[index + offset] & 0xC0 == 0x80 else { return nil }
      point = point << 6 | UInt32(self[index + offset] & 0x3F)
    }
    let least: UInt32 = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000
    guard point >= least, Unicode.Scalar(point) != nil, point & 0xFFFFFE != 0xFFFE else { return nil }
    return (point, length)
  }
}
