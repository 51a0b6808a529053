/// The path of an archive's entry, proved to stay inside the tree by its words alone.
struct EntryPath: Equatable {
  /// Never empty, `.`, `..`; no slash, no NUL. No component at all is the top directory itself.
  let components: [[UInt8]]

  /// Throws ``ArchiveError/entryRefused(path:reason:)``.
  init(_ bytes: [UInt8], limit: Int) throws(ArchiveError) {
    func refused(_ reason: String) -> ArchiveError { .entryRefused(path: shown(bytes), reason: reason) }
    guard !bytes.isEmpty else { throw refused("has an empty name") }
    guard bytes.count <= limit else { throw refused("has a path of more than \(limit) bytes") }
    guard bytes.first != UInt8(ascii: "/") else { throw refused("has an absolute path") }
    guard !bytes.contains(0) else { throw refused("has a NUL byte in its path") }
    let parts = bytes.split(separator: UInt8(ascii: "/")).map(Array.init).filter { $0 != Self.dot }
    guard !parts.contains(Self.dotDot) else { throw refused("has '..' in its path") }
    guard parts.allSatisfy({ $0.count <= 255 }) else { throw refused("has a name of more than 255 bytes") }
    components = parts
  }

  var parent: ArraySlice<[UInt8]> { components.dropLast() }
  var name: [UInt8]? { components.last }

  static let dot = Array(".".utf8)
  static let dotDot = Array("..".utf8)

  /// True when a link in this place stays inside the tree whatever other links the tree holds. `..` may stand only in
  /// front: there it climbs from a real directory; behind a name it could climb from wherever that name leads.
  func keepsInside(target: [UInt8]) -> Bool {
    guard !target.isEmpty, target.first != UInt8(ascii: "/"), !target.contains(0) else { return false }
    let parts = target.split(separator: UInt8(ascii: "/")).map(Array.init).filter { $0 != Self.dot }
    let climbs = parts.prefix { $0 == Self.dotDot }.count
    return climbs <= parent.count && !parts.dropFirst(climbs).contains(Self.dotDot)
  }
}
