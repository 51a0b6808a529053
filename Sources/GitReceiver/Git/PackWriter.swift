import CDeflate

/// Writes a pack by copying the entries that are stored already; only what cannot be copied is deflated anew.
///
/// Entries are written pack by pack in the order in which they lie, so the base of an OFS delta always comes first.
struct PackWriter {
  struct Options {
    /// The reader knows deltas against an offset; else they name their base.
    var offsetDeltas = true
    /// Deltas against objects that only the reader has are allowed.
    var thin = false
  }

  struct Statistics: Equatable {
    var objects = 0
    var deltas = 0
    /// Copied as they were.
    var reused = 0
    var reusedDeltas = 0
  }

  /// Hears of every entry: its object, where it begins, and its bytes' CRC-32.
  typealias Listener = (ObjectNumber, _ offset: Int, _ checksum: UInt32) throws -> Void

  private let selection: ObjectSelection
  private let store: PackStore
  private let options: Options
  private let sink: PackSink
  private let listener: Listener?
  /// Where objects begin in the new pack; 0: not written yet.
  private var offsets: NumberMap<Int>
  private(set) var statistics = Statistics()

  init(_ selection: ObjectSelection, to sink: PackSink, options: Options, listener: Listener? = nil) {
    self.selection = selection
    self.sink = sink
    self.options = options
    self.listener = listener
    store = selection.store
    offsets = NumberMap(0, for: selection.store)
  }

  /// Writes the whole pack. Returns its checksum. Throws ``GitError`` when a stored object is damaged.
  mutating func write() throws -> [UInt8] {
    guard let count = UInt32(exactly: selection.count) else {
      throw GitError(.limit, "more than \(UInt32.max) objects for one pack")
    }
    try sink.write(Array("PACK".utf8) + [0, 0, 0, 2])
    try sink.write((0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) })
    for index in store.packs.indices { try writeEntries(of: index) }
    for number in selection.looseNumbers { try writeWhole(number) }
    guard statistics.objects == selection.count else {
      throw GitError(.internalError, "\(selection.count - statistics.objects) objects were left out of a pack")
    }
    return try sink.finish()
  }

  private mutating func writeEntries(of index: Int) throws {
    let pack = store.packs[index]
    let start = store.starts[index]
    let numbers = start..<(start + pack.count)
    guard numbers.contains(where: { selection.contains(ObjectNumber($0)) }) else { return }
    let order = try pack.order()
    for rank in order.indices {
      let place = order[rank]
      let number = ObjectNumber(start + place.position)
      guard selection.contains(number) else { continue }
      let end = rank + 1 < order.count ? order[rank + 1].offset : pack.dataEnd
      try writeEntry(number, pack, index, place, end)
    }
  }

  private mutating func writeEntry(
    _ number: ObjectNumber, _ pack: StoredPack, _ index: Int, _ place: StoredPack.Place, _ end: Int
  ) throws {
    let entry = try pack.entry(at: place.offset)
    let stored = try pack.bytes(place.offset, end)
    guard libdeflate_crc32(0, stored.baseAddress, stored.count) == pack.checksum(at: place.position) else {
      throw pack.torn("is damaged: object \(store.id(of: number)) has a wrong checksum")
    }
    guard entry.data <= end else { throw pack.torn("is cut short") }
    if entry.type < 6 {
      try note(number, stored)
      try sink.write(stored)
    } else {
      let position = entry.type == 6 ? try pack.position(at: entry.base) : pack.find(pack.baseID(of: entry))
      guard position >= 0 else { throw pack.torn("has a delta against an object that is not in it") }
      let base = try store.number(pack: index, position: position)
      guard let link = link(to: base) else { return try writeWhole(number) }
      let header = PackEntryType.header(link.type, size: entry.size) + link.bytes
      let data = try pack.bytes(entry.data, end)
      try note(number, header, data)
      try sink.write(header)
      try sink.write(data)
      statistics.deltas += 1
      statistics.reusedDeltas += 1
    }
    statistics.objects += 1
    statistics.reused += 1
  }

  /// How a delta names this base in the new pack; `nil` when the reader would not have it.
  private func link(to base: ObjectNumber) -> (type: UInt8, bytes: [UInt8])? {
    if selection.contains(base) {
      let offset = offsets[base]
      if options.offsetDeltas, offset > 0 { return (6, PackEntryType.distance(sink.offset - offset)) }
      return (7, store.id(of: base).bytes)
    }
    return options.thin && selection.isHad(base) ? (7, store.id(of: base).bytes) : nil
  }

  private mutating func writeWhole(_ number: ObjectNumber) throws {
    let (header, data) = try store.read(number) { kind, bytes in
      (PackEntryType.header(kind.rawValue, size: bytes.count), try deflated(bytes))
    }
    try data.withUnsafeBytes { data in
      try note(number, header, data)
      try sink.write(header)
      try sink.write(data)
    }
    statistics.objects += 1
  }

  private mutating func note(_ number: ObjectNumber, _ stored: UnsafeRawBufferPointer) throws {
    offsets[number] = sink.offset
    guard let listener else { return }
    try listener(number, sink.offset, libdeflate_crc32(0, stored.baseAddress, stored.count))
  }

  private mutating func note(_ number: ObjectNumber, _ header: [UInt8], _ data: UnsafeRawBufferPointer) throws {
    offsets[number] = sink.offset
    guard let listener else { return }
    let first = header.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
    try listener(number, sink.offset, libdeflate_crc32(first, data.baseAddress, data.count))
  }
}

extension PackEntryType {
  /// How far before an OFS delta its base begins.
  static func distance(_ value: Int) -> [UInt8] {
    var rest = value >> 7
    var bytes = [UInt8(value & 0x7F)]
    while rest > 0 {
      rest -= 1
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes.reversed()
  }
}
