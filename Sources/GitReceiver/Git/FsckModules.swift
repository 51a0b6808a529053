/// Reads a `.gitmodules` for what has hurt people: names that leave `.git/modules`, addresses and paths that are taken
/// for options or that send a password to another host, commands (CVE-2018-11235, CVE-2018-17456, CVE-2019-19604,
/// CVE-2020-5260, CVE-2020-11008).
enum FsckModules {
  /// The first danger and git's message for it. What cannot be read ends the reading, and is no fault to git.
  static func fault(_ data: UnsafeRawBufferPointer) -> (what: String, message: String)? {
    var config = GitConfigReader(data)
    var section: GitConfigReader.Section?
    var submodule: Submodule?
    while let setting = config.next() {
      if setting.section !== section {
        section = setting.section
        submodule = Submodule(section: setting.section.name)
        if let name = submodule?.name, isBad(name: name) {
          return ("is a .gitmodules with the submodule name '\(shown(name))'", "gitmodulesName")
        }
      }
      guard let submodule, let value = setting.value.map({ $0.prefix { $0 != 0 } }) else { continue }
      if let fault = fault(submodule.key ?? setting.key[...], value) { return fault }
    }
    return nil
  }

  private static func fault(_ key: Bytes, _ value: Bytes) -> (what: String, message: String)? {
    if key.elementsEqual("url".utf8), isBad(url: value) {
      return ("is a .gitmodules with the address '\(shown(value))'", "gitmodulesUrl")
    }
    if key.elementsEqual("path".utf8), value.first == UInt8(ascii: "-") {
      return ("is a .gitmodules with the path '\(shown(value))', which looks like an option", "gitmodulesPath")
    }
    if key.elementsEqual("update".utf8), value.first == UInt8(ascii: "!") {
      return ("is a .gitmodules with the command '\(shown(value))'", "gitmodulesUpdate")
    }
    return nil
  }

  typealias Bytes = ArraySlice<UInt8>

  /// What git takes from the section in `submodule.NAME.KEY`.
  private struct Submodule {
    let name: Bytes
    /// `nil`: each setting has its own. A NUL in the section ends the text for git, and what stands before is all.
    let key: Bytes?

    init?(section: [UInt8]) {
      guard section.starts(with: "submodule.".utf8) else { return nil }
      let rest = section[10...]
      guard let end = rest.firstIndex(of: 0) else {
        (name, key) = (rest, nil)
        return
      }
      guard let dot = rest[..<end].lastIndex(of: UInt8(ascii: ".")) else { return nil }
      (name, key) = (rest[..<dot], rest[(dot + 1)..<end])
    }
  }

  /// Empty, or with a part `..` between slashes of either kind.
  static func isBad(name: Bytes) -> Bool {
    // Without an array of the parts, which can be many times as large as the name.
    var start = name.startIndex
    for index in name.indices where name[index] == 0x2F || name[index] == 0x5C {
      if name[start..<index].elementsEqual("..".utf8) { return true }
      start = index + 1
    }
    return name.isEmpty || name[start...].elementsEqual("..".utf8)
  }

  static func isBad(url: Bytes) -> Bool {
    if url.first == UInt8(ascii: "-") { return true }
    let dots = afterDots(url)
    if dots != nil || url.starts(with: "git://".utf8) {
      // May be put behind the address of the repository itself: a line's end goes into the next line of a protocol.
      if decoded(url).contains(UInt8(ascii: "\n")) { return true }
    }
    if let rest = dots {
      // `..` can take the host away.
      return rest.parents > 0 && (rest.next == UInt8(ascii: ":") || rest.next == UInt8(ascii: "/"))
    }
    guard let web = webAddress(url) else { return false }
    return isBad(web: web)
  }

  /// For an address that begins with `./` or `../`: how many `../` it begins with, and the byte after them all.
  private static func afterDots(_ url: Bytes) -> (parents: Int, next: UInt8?)? {
    var rest = url
    var parents = 0
    func isSlash(_ offset: Int) -> Bool {
      rest.count > offset && (rest[rest.startIndex + offset] == 0x2F || rest[rest.startIndex + offset] == 0x5C)
    }
    while true {
      if rest.starts(with: "..".utf8), isSlash(2) {
        parents += 1
        rest = rest.dropFirst(3)
      } else if rest.starts(with: ".".utf8), isSlash(1) {
        rest = rest.dropFirst(2)
      } else {
        return rest.startIndex == url.startIndex ? nil : (parents, rest.first)
      }
    }
  }

  /// What git hands to curl; `nil` for other addresses.
  private static func webAddress(_ url: Bytes) -> Bytes? {
    for scheme in ["http", "https", "ftp", "ftps"] {
      if url.starts(with: "\(scheme)::".utf8) { return url.dropFirst(scheme.utf8.count + 2) }
      if url.starts(with: "\(scheme)://".utf8) { return url }
    }
    return nil
  }

  /// Whether git's credential helpers would be asked for no host, or with a line's end in an answer.
  private static func isBad(web: Bytes) -> Bool {
    guard let colon = index(of: "://", in: web), colon > web.startIndex else { return true }
    let rest = web[(colon + 3)...]
    let slash = rest.firstIndex { $0 == 0x2F || $0 == 0x3F || $0 == 0x23 } ?? rest.endIndex
    var parts: [Bytes] = [web[..<colon]]
    var host = rest[..<slash]
    if let at = host.firstIndex(of: UInt8(ascii: "@")) {
      let person = host[..<at]
      host = host[(at + 1)...]
      if let colon = person.firstIndex(of: UInt8(ascii: ":")) {
        parts += [decoded(person[..<colon]), decoded(person[(colon + 1)...])]
      } else {
        parts.append(decoded(person))
      }
    }
    host = decoded(host)
    parts += [host, decoded(rest[slash...].drop { $0 == 0x2F })]
    return host.isEmpty || parts.contains { $0.contains(UInt8(ascii: "\n")) }
  }

  private static func index(of text: String, in bytes: Bytes) -> Int? {
    bytes.indices.first { bytes[$0...].starts(with: text.utf8) }
  }

  /// Percent signs decoded, but not before a ':' and not to NUL, as git does.
  private static func decoded(_ bytes: Bytes) -> Bytes {
    var start = bytes.startIndex
    if let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > start { start = colon }
    var result = Array(bytes[..<start])
    var index = start
    while index < bytes.endIndex {
      if bytes[index] == UInt8(ascii: "%"), bytes.endIndex - index > 2,
        let byte = hex(bytes[index + 1], bytes[index + 2])
      {
        result.append(byte)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result[...]
  }

  private static func hex(_ high: UInt8, _ low: UInt8) -> UInt8? {
    guard let high = Character(Unicode.Scalar(high)).hexDigitValue,
      let low = Character(Unicode.Scalar(low)).hexDigitValue, high + low > 0
    else { return nil }
    return UInt8(high << 4 | low)
  }
}
