import Glibc
import Linux

/// `packed-refs`: a line per ref, sorted, and after a tag a line `^ID` with what it leads to (git-pack-refs(1)).
struct PackedRefs: Sendable {
  /// Which file this was; another one is read again.
  private struct Stamp: Equatable {
    var inode: UInt64
    var size: Int
    var seconds: Int
    var nanoseconds: Int
  }

  private(set) var refs: [(name: [UInt8], id: ObjectID)] = []
  private var text: [UInt8] = []
  private var stamp: Stamp?

  init() {}

  /// `nil`: the file is the one that `known` was read from. A missing file holds nothing.
  static func read(_ path: String, unlessStill known: PackedRefs) throws(SystemError) -> PackedRefs? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 {
      guard errno == ENOENT else { throw SystemError("open '\(path)'") }
      return known.stamp == nil ? nil : PackedRefs()
    }
    defer { close(file) }
    var info = stat()
    try checked("look at '\(path)'") { fstat(file, &info) }
    let stamp = Stamp(
      inode: UInt64(info.st_ino), size: Int(info.st_size), seconds: info.st_mtim.tv_sec,
      nanoseconds: info.st_mtim.tv_nsec)
    if stamp == known.stamp { return nil }
    let size = max(0, Int(info.st_size))
    var text = [UInt8](repeating: 0, count: size)
    var filled = 0
    while filled < size {
      let count = try checked("read '\(path)'") {
        text.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress.map { $0 + filled }, size - filled) }
      }
      if count == 0 { break }
      filled += count
    }
    var packed = PackedRefs(text: Array(text[..<filled]))
    packed.stamp = stamp
    return packed
  }

  init(text: [UInt8]) {
    self.text = text
    for line in text.split(separator: 10) {
      guard line.count > 41, line[line.startIndex + 40] == 32, let id = ObjectID(line.prefix(40)) else { continue }
      refs.append((Array(line.dropFirst(41)), id))
    }
    let sorted = zip(refs, refs.dropFirst()).allSatisfy { $0.name.lexicographicallyPrecedes($1.name) }
    if !sorted { refs.sort { $0.name.lexicographicallyPrecedes($1.name) } }
  }

  func id(of name: [UInt8]) -> ObjectID? {
    let index = index(of: name)
    return index < refs.count && refs[index].name == name ? refs[index].id : nil
  }

  func first(below prefix: [UInt8], where fits: ([UInt8]) -> Bool) -> [UInt8]? {
    refs[index(of: prefix)...].prefix { $0.name.starts(with: prefix) }.first { fits($0.name) }?.name
  }

  /// The file's text without some refs and with others, which take the place of those of the same name. What is not
  /// touched stays byte for byte.
  func text(
    without names: Set<[UInt8]>, adding new: [(name: [UInt8], id: ObjectID, peeled: ObjectID?)] = []
  ) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count + new.count * 80)
    var waiting = new.sorted { $0.name.lexicographicallyPrecedes($1.name) }[...]
    var dropping = false
    func add(_ ref: (name: [UInt8], id: ObjectID, peeled: ObjectID?)) {
      result += Array("\(ref.id) ".utf8) + ref.name + [10]
      if let peeled = ref.peeled { result += Array("^\(peeled)\n".utf8) }
    }
    if text.isEmpty { result += Array("# pack-refs with: peeled fully-peeled sorted \n".utf8) }
    for line in text.split(separator: 10) {
      if line.first == UInt8(ascii: "#") {
        result += line + [10]
        continue
      }
      if line.first != UInt8(ascii: "^") {
        let name = line.dropFirst(41)
        while let next = waiting.first, next.name.lexicographicallyPrecedes(name) { add(waiting.removeFirst()) }
        dropping = names.contains(Array(name))
        if let next = waiting.first, next.name.elementsEqual(name) {
          add(waiting.removeFirst())
          dropping = true
        }
      }
      if !dropping { result += line + [10] }
    }
    for ref in waiting { add(ref) }
    return result
  }

  /// Where the name is, or would be.
  private func index(of name: [UInt8]) -> Int {
    var low = 0
    var high = refs.count
    while low < high {
      let middle = (low + high) / 2
      if refs[middle].name.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
