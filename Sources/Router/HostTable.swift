import Platform

/// What a table says about one host.
final class HostEntry: Sendable {
  struct Path: Sendable {
    let prefix: [UInt8]
    let strips: Bool
    let route: Route
  }

  let name: [UInt8]
  /// Who has the whole host.
  let route: Route?
  /// Who has paths of it; the longest prefix first.
  let paths: [Path]
  let redirect: Redirection?

  struct Redirection: Sendable, Equatable {
    let to: String
    let isPermanent: Bool
  }

  init(name: [UInt8], route: Route?, paths: [Path], redirect: Redirection?) {
    self.name = name
    self.route = route
    self.paths = paths
    self.redirect = redirect
  }

  /// Nobody has anything of it.
  var isBlank: Bool { route == nil && paths.isEmpty }

  /// The route for a path, and how much of the path it takes away.
  func route(for bytes: RawSpan, _ target: ByteRange) -> (route: Route, stripped: Int)? {
    for path in paths where Self.isBelow(path.prefix, bytes, target) {
      return (path.route, path.strips ? path.prefix.count : 0)
    }
    return route.map { ($0, 0) }
  }

  /// The way to this app, if it still has anything of this host.
  func route(of app: AppID) -> Route? {
    if let route, route.app == app { return route }
    return paths.first { $0.route.app == app }?.route
  }

  /// Whole segments only.
  private static func isBelow(_ prefix: [UInt8], _ bytes: RawSpan, _ target: ByteRange) -> Bool {
    guard target.count >= prefix.count, target.end <= bytes.byteCount else { return false }
    for index in prefix.indices where bytes.byte(target.start &+ index) != prefix[index] { return false }
    guard target.count > prefix.count else { return true }
    let next = bytes.byte(target.start &+ prefix.count)
    return next == UInt8(ascii: "/") || next == UInt8(ascii: "?")
  }
}

/// Host names to entries: an open hash table over plain arrays, so that a lookup allocates nothing and costs the same for
/// ten thousand hosts as for one. A value: a snapshot keeps its own, and a change copies two arrays.
struct HostTable: Sendable {
  private var entries: [HostEntry] = []
  /// Index + 1 into ``entries``; 0 is free.
  private var slots: [Int32] = [0]
  private var hasWildcards = false
  /// How many of ``entries`` are of hosts that nobody has any more.
  private var blanks = 0

  /// What a table says about a host now: `nil` when nobody has it.
  mutating func set(_ name: [UInt8], _ entry: HostEntry?) {
    let slot = slot(of: name)
    if slots[slot] > 0 {
      let index = Int(slots[slot]) - 1
      blanks += (entry == nil ? 1 : 0) - (entries[index].isBlank ? 1 : 0)
      entries[index] = entry ?? HostEntry(name: name, route: nil, paths: [], redirect: nil)
    } else if let entry {
      if (entries.count + 1) * 2 > slots.count { grow() }
      add(entry)
    }
    if blanks > 1024, blanks * 2 > entries.count { grow() }
  }

  private mutating func add(_ entry: HostEntry) {
    if entry.name.first == UInt8(ascii: "*") { hasWildcards = true }
    entries.append(entry)
    slots[slot(of: entry.name)] = Int32(truncatingIfNeeded: entries.count)
  }

  /// Without those that nobody has, and with room for as many again.
  private mutating func grow() {
    let old = entries.filter { !$0.isBlank }
    var size = 8
    while size < old.count * 4 { size *= 2 }
    slots = Array(repeating: 0, count: size)
    entries = []
    entries.reserveCapacity(size / 2)
    blanks = 0
    for entry in old { add(entry) }
  }

  /// Where the name is, or would be.
  private func slot(of name: [UInt8]) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: Self.hash(name)) & mask
    while slots[slot] != 0, entries[Int(slots[slot]) - 1].name != name { slot = (slot + 1) & mask }
    return slot
  }

  /// The exact name, else the longest wildcard above it.
  func find(_ host: HostName) -> HostEntry? {
    if let exact = find(host, from: 0, isWildcard: false) { return exact }
    guard hasWildcards else { return nil }
    for index in 1..<max(host.count, 1) where host[index] == UInt8(ascii: ".") {
      if let entry = find(host, from: index, isWildcard: true) { return entry }
    }
    return nil
  }

  private func find(_ host: HostName, from start: Int, isWildcard: Bool) -> HostEntry? {
    var hash = Self.seed
    if isWildcard { hash = Self.mixed(hash, UInt8(ascii: "*")) }
    for index in start..<host.count { hash = Self.mixed(hash, host[index]) }
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: Self.finished(hash)) & mask
    while slots[slot] != 0 {
      let entry = entries[Int(slots[slot]) - 1]
      if Self.equal(entry.name, host, from: start, isWildcard: isWildcard) { return entry.isBlank ? nil : entry }
      slot = (slot + 1) & mask
    }
    return nil
  }

  private static func equal(_ name: [UInt8], _ host: HostName, from start: Int, isWildcard: Bool) -> Bool {
    let offset = isWildcard ? 1 : 0
    guard name.count == host.count - start + offset else { return false }
    if isWildcard, name[0] != UInt8(ascii: "*") { return false }
    for index in start..<host.count where name[index - start + offset] != host[index] { return false }
    return true
  }

  // FNV-1a (Fowler, Noll, Vo), finished so that the low bits depend on all of it.
  /// Of this process alone: names cannot be chosen so that they meet in the table.
  private static let seed = UInt64.random(in: .min ... .max)
  @inline(__always)
  private static func mixed(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  @inline(__always)
  private static func finished(_ hash: UInt64) -> UInt64 { hash ^ hash &>> 32 }

  static func hash(_ name: [UInt8], seed: UInt64 = seed) -> UInt64 {
    var hash = seed
    for byte in name { hash = mixed(hash, byte) }
    return finished(hash)
  }
}
