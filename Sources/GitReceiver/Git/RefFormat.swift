/// The rules for names of refs (git-check-ref-format(1)), on bytes.
enum RefFormat {
  /// A name below `refs/` that git lets a client make; for `deleting`, `refs/x` will do.
  static func isValid(_ name: [UInt8], deleting: Bool = false) -> Bool {
    guard name.starts(with: "refs/".utf8), name.count <= 4000, name.last != UInt8(ascii: ".") else { return false }
    let rest = name.dropFirst(5)
    guard rest.elementsEqual("@".utf8) == false else { return false }
    let forbidden = "~^:?*[\\".utf8
    guard rest.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !forbidden.contains($0) }) else { return false }
    for (left, right) in zip(rest, rest.dropFirst()) {
      if left == UInt8(ascii: "."), right == UInt8(ascii: ".") { return false }
      if left == UInt8(ascii: "@"), right == UInt8(ascii: "{") { return false }
    }
    let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    return parts.count >= (deleting ? 1 : 2)
      && parts.allSatisfy { !$0.isEmpty && $0.first != UInt8(ascii: ".") && !$0.hasSuffix(".lock") }
  }
}
