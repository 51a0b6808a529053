import CDeflate
import Linux

@testable import GitReceiver

/// Random numbers that are the same in every run (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// One object as it lies in a pack.
struct PackedObject: Sendable {
  enum Base: Sendable {
    case none
    /// The place of the base in the pack.
    case earlier(Int)
    case id([UInt8])
  }

  var type: UInt8
  var base: Base
  /// Inflated.
  var data: [UInt8]
  var size: Int?

  /// Takes a pack of git's apart.
  static func read(_ pack: [UInt8]) throws -> [PackedObject] {
    var objects: [PackedObject] = []
    var places: [Int: Int] = [:]
    var position = 12
    while position < pack.count - 20 {
      let start = position
      places[start] = objects.count
      let type = pack[position] >> 4 & 7
      var size = Int(pack[position] & 0xF)
      var shift = 4
      while pack[position] & 0x80 != 0 {
        position += 1
        size |= Int(pack[position] & 0x7F) << shift
        shift += 7
      }
      position += 1
      var base = Base.none
      if type == 6 {
        var distance = Int(pack[position] & 0x7F)
        while pack[position] & 0x80 != 0 {
          position += 1
          distance = (distance + 1) << 7 | Int(pack[position] & 0x7F)
        }
        position += 1
        guard let place = places[start - distance] else { throw CommandFailed(description: "no base") }
        base = .earlier(place)
      } else if type == 7 {
        base = .id(Array(pack[position..<position + 20]))
        position += 20
      }
      let (data, used) = try inflate(pack[position...], size: size)
      position += used
      objects.append(PackedObject(type: type, base: base, data: data, size: nil))
    }
    return objects
  }

  private static func inflate(_ stream: ArraySlice<UInt8>, size: Int) throws -> ([UInt8], Int) {
    guard let decompressor = libdeflate_alloc_decompressor() else { throw CommandFailed(description: "no memory") }
    defer { libdeflate_free_decompressor(decompressor) }
    var used = 0
    var data = [UInt8](repeating: 0, count: size)
    let result = stream.withUnsafeBytes { stream in
      data.withUnsafeMutableBytes { data in
        libdeflate_zlib_decompress_ex(
          decompressor, stream.baseAddress, stream.count, data.baseAddress, size, &used, nil)
      }
    }
    guard result == LIBDEFLATE_SUCCESS else { throw CommandFailed(description: "cannot inflate") }
    return (data, used)
  }

  /// Puts a pack together.
  static func write(_ objects: [PackedObject], count: UInt32? = nil) throws -> [UInt8] {
    var pack = PackBuilder(count: count ?? UInt32(objects.count))
    var places: [Int] = []
    for object in objects {
      let here = pack.offset
      var base: [UInt8] = []
      switch object.base {
      case .none: break
      case .earlier(let place): base = PackBuilder.distance(here - (place < places.count ? places[place] : here - 1))
      case .id(let id): base = id
      }
      places.append(here)
      try pack.object(object.type, object.data, size: object.size, base: base)
    }
    return pack.finished
  }
}

/// Makes bad packs of good ones, the same ones in every run.
struct PackMutator {
  /// What the mutated packs are pushed to.
  enum Target { case half, whole }

  private var numbers: SeededNumbers
  private let packs: [[UInt8]]
  private let taken: [[PackedObject]]
  private let objects: [(ObjectKind, [UInt8])]

  /// Bytes that mean something in one of the formats.
  private static let words: [[UInt8]] =
    [
      ".git", "..", ".", "/", "\\", "git~1", ".gitmodules", "40000 ", "100644 ", "120000 ", "160000 ", "0", " ", "\n",
      "\n\n", "<", ">", "parent ",
      "tree ", "author ", "committer ", "tag ", "type ", "tagger ", "+0000", "-1", "99999999999999999999",
      "[submodule \"", "\"]", "url = ", "path = -",
      "update = !", "#", "\"", "../", "https://", "%0a", "PACK", "\u{200C}", "~1",
    ].map { Array($0.utf8) } + [
      [0], [0xFF], [0x80], [0x7F], [UInt8](repeating: 0, count: 20), [UInt8](repeating: 0xFF, count: 4),
    ]

  init(seed: UInt64, packs: [[UInt8]], objects: [(ObjectKind, [UInt8])]) throws {
    numbers = SeededNumbers(seed: seed)
    self.packs = packs
    taken = try packs.map(PackedObject.read)
    self.objects = objects
  }

  /// The next pack, and the repository that it is for.
  mutating func next() throws -> (pack: [UInt8], target: Target) {
    switch below(20) {
    case 0..<8: (rawPack(), .half)
    case 8..<14: (try repacked(), .half)
    default: (try oneObject(), .whole)
    }
  }

  private mutating func below(_ count: Int) -> Int { Int.random(in: 0..<max(1, count), using: &numbers) }

  private mutating func pick<Element>(_ list: [Element]) -> Element { list[below(list.count)] }

  /// The bytes of a pack changed, most with their checksum made right.
  private mutating func rawPack() -> [UInt8] {
    let whole = pick(packs)
    var bytes = Array(whole.dropLast(20))
    for _ in 0...below(3) {
      if below(12) == 0 {
        let other = pick(packs)
        let start = below(other.count)
        let place = below(bytes.count)
        bytes.replaceSubrange(
          place..<min(bytes.count, place + below(60)), with: other[start..<min(other.count, start + below(60))])
      } else {
        change(&bytes)
      }
    }
    return below(10) == 0 ? bytes + whole.suffix(20) : PackBuilder.sealed(bytes)
  }

  /// A pack's objects changed one by one, and packed again.
  private mutating func repacked() throws -> [UInt8] {
    var objects = pick(taken)
    var count: UInt32?
    for _ in 0...below(2) {
      let place = below(objects.count)
      switch below(10) {
      case 0..<4: change(&objects[place].data)
      case 4: objects[place].type = UInt8(below(8))
      case 5: objects[place].size = max(0, objects[place].data.count + below(5) - 2)
      case 6: objects.insert(objects[place], at: below(objects.count))
      case 7: objects.remove(at: place)
      case 8: objects[place].base = below(2) == 0 ? .earlier(below(objects.count)) : .id(id(ofAny: 0))
      default: count = UInt32(max(0, objects.count + below(5) - 2))
      }
      if objects.isEmpty { break }
    }
    for place in objects.indices {
      // A base must be written where the type asks for one.
      switch (objects[place].type, objects[place].base) {
      case (6, .none), (6, .id): objects[place].base = .earlier(below(place))
      case (7, .none), (7, .earlier): objects[place].base = .id(id(ofAny: 0))
      case (0...5, _): objects[place].base = .none
      default: break
      }
    }
    return try PackedObject.write(objects, count: count)
  }

  private mutating func id(ofAny _: Int) -> [UInt8] {
    let (kind, data) = pick(objects)
    return FsckObjects.id(kind, data)
  }

  /// One commit, tree, tag or `.gitmodules` changed, and pushed alone to a repository that has the rest.
  private mutating func oneObject() throws -> [UInt8] {
    var (kind, data) = pick(objects)
    for _ in 0...below(2) { change(&data) }
    guard kind == .blob else {
      return try PackedObject.write([PackedObject(type: kind.rawValue, base: .none, data: data)])
    }
    let name = below(4) == 0 ? ".gitattributes" : ".gitmodules"
    let tree = FsckObjects.entry("100644", Array(name.utf8), FsckObjects.id(.blob, data))
    var both = [PackedObject(type: 3, base: .none, data: data), PackedObject(type: 2, base: .none, data: tree)]
    if below(2) == 0 { both.reverse() }
    return try PackedObject.write(both)
  }

  /// One change of some bytes.
  private mutating func change(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else {
      bytes = pick(Self.words)
      return
    }
    let place = below(bytes.count)
    switch below(9) {
    case 0, 1: bytes[place] ^= 1 << UInt8(below(8))
    case 2: bytes[place] = UInt8(below(256))
    case 3: bytes.insert(UInt8(below(256)), at: place)
    case 4: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(4)))
    case 5: bytes.insert(contentsOf: pick(Self.words), at: place)
    case 6: bytes.replaceSubrange(place..<min(bytes.count, place + below(8)), with: pick(Self.words))
    case 7: bytes.removeLast(min(bytes.count, below(30)))
    default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + below(40))], at: below(bytes.count))
    }
  }
}
