import Platform

/// What a client asks for: the lines of protocol 0 and 1 before its haves (gitprotocol-pack(5), "Packfile
/// Negotiation"), or the arguments of protocol 2's `fetch` (gitprotocol-v2(5)).
struct UploadRequest: Equatable {
  enum Acknowledgement: Equatable { case single, multiple, detailed }

  var wants: [ObjectID] = []
  /// Protocol 2 only.
  var haves: [ObjectID] = []
  /// Where the client's history ends.
  var shallow: [ObjectID] = []
  /// How many commits deep; `nil`: all of it.
  var depth: Int?
  /// Seconds since 1970.
  var since: Int64?
  var excluded: [String] = []
  private var excludedBytes = 0
  var isRelative = false
  var filter = UploadFilter.none

  var acknowledgement = Acknowledgement.single
  var bands = UploadOutput.Bands.none
  var noDone = false
  var isThin = false
  var offsetDeltas = false
  var includeTags = false
  var noProgress = false
  /// Protocol 2: the client is done, or wants to be asked until it is.
  var isDone = false
  var waitsForDone = false

  /// The depth that means all.
  static let infiniteDepth = 0x7FFF_FFFF
  /// More lines of one kind than this are an attack.
  static let maximumLines = 1_000_000
  /// More bytes than this in the lines of one kind that are kept as they are, too.
  static let maximumBytes = 1 << 20

  /// The client wants its history cut, or cut elsewhere.
  var changesDepth: Bool { depth != nil || since != nil || !excluded.isEmpty }

  init() {}

  /// Takes one line of protocol 0 or 1. Throws ``GitError`` with the words git uses.
  mutating func receive(_ line: [UInt8], settings: UploadSettings) throws(GitError) {
    let text = Self.text(line)
    if try receiveCommon(text, settings) { return }
    guard text.hasPrefix("want "), let id = Self.id(text.dropFirst(5).prefix(40)) else {
      throw GitError(
        .protocolBroken, "git upload-pack: protocol error, expected to get object ID, not '\(printable(text))'")
    }
    try append(id, to: \.wants)
    for word in text.dropFirst(45).split(separator: " ") { try capability(word, settings) }
  }

  /// Takes one argument of protocol 2's `fetch`.
  mutating func receiveArgument(_ line: [UInt8], settings: UploadSettings) throws(GitError) {
    let text = Self.text(line)
    if try receiveCommon(text, settings) { return }
    switch text {
    case "done": isDone = true
    case "wait-for-done": waitsForDone = true
    case "thin-pack", "ofs-delta", "no-progress", "include-tag", "deepen-relative":
      try capability(text[...], settings)
    case _ where text.hasPrefix("want "):
      guard let id = Self.id(text.dropFirst(5)) else {
        throw GitError(
          .protocolBroken, "git upload-pack: protocol error, expected to get oid, not '\(printable(text))'")
      }
      try append(id, to: \.wants)
    case _ where text.hasPrefix("have "):
      guard let id = Self.id(text.dropFirst(5)) else {
        throw GitError(
          .protocolBroken, "git upload-pack: expected SHA1 object, got '\(printable(String(text.dropFirst(5))))'")
      }
      try append(id, to: \.haves)
    default: throw GitError(.protocolBroken, "unexpected line: '\(printable(text))'")
    }
  }

  /// What both have. `false` when the line is something else.
  private mutating func receiveCommon(_ text: String, _ settings: UploadSettings) throws(GitError) -> Bool {
    if text.hasPrefix("shallow ") {
      guard let id = Self.id(text.dropFirst(8)) else { throw Self.invalid("shallow line", text) }
      try append(id, to: \.shallow)
    } else if text.hasPrefix("deepen ") {
      guard let number = Int(text.dropFirst(7)), number > 0 else { throw Self.invalid("deepen", text) }
      depth = min(number, Self.infiniteDepth)
    } else if text.hasPrefix("deepen-since ") {
      guard let time = Int64(text.dropFirst(13)), time > 0 else { throw Self.invalid("deepen-since", text) }
      since = time
    } else if text.hasPrefix("deepen-not ") {
      excludedBytes += text.utf8.count
      guard excluded.count < 1000, excludedBytes <= Self.maximumBytes else { throw Self.tooMany }
      excluded.append(String(text.dropFirst(11)))
    } else if text.hasPrefix("filter "), settings.allowFilter {
      guard let filter = UploadFilter(text.dropFirst(7)) else {
        throw GitError(.protocolBroken, "invalid filter-spec '\(printable(String(text.dropFirst(7))))'")
      }
      self.filter = filter
    } else {
      return false
    }
    return true
  }

  private mutating func capability(_ word: Substring, _ settings: UploadSettings) throws(GitError) {
    switch word {
    case "multi_ack_detailed": acknowledgement = .detailed
    case "multi_ack": if acknowledgement == .single { acknowledgement = .multiple }
    case "side-band-64k": bands = .large
    case "side-band": if bands == .none { bands = .small }
    case "no-done": noDone = true
    case "thin-pack": isThin = true
    case "ofs-delta": offsetDeltas = true
    case "include-tag": includeTags = true
    case "no-progress": noProgress = true
    case "deepen-relative": isRelative = true
    case _ where word.hasPrefix("object-format=") && word != "object-format=sha1":
      throw GitError(
        .protocolBroken,
        "mismatched object format; server sha1; client \(printable(String(word.dropFirst("object-format=".count))))")
    default: break
    }
  }

  /// Checks what belongs together. Throws ``GitError``.
  func check() throws(GitError) {
    if depth != nil, since != nil || !excluded.isEmpty {
      throw GitError(
        .protocolBroken, "git upload-pack: deepen and deepen-since (or deepen-not) cannot be used together")
    }
  }

  private mutating func append(_ id: ObjectID, to list: WritableKeyPath<Self, [ObjectID]>) throws(GitError) {
    guard self[keyPath: list].count < Self.maximumLines else { throw Self.tooMany }
    self[keyPath: list].append(id)
  }

  private static let tooMany = GitError(.limit, "too many lines of one kind in a request")

  private static func invalid(_ what: String, _ text: String) -> GitError {
    GitError(.protocolBroken, "git upload-pack: invalid \(what): \(printable(text))")
  }

  static func text(_ line: [UInt8]) -> String {
    String(decoding: line.last == UInt8(ascii: "\n") ? line.dropLast() : line[...], as: UTF8.self)
  }

  static func id(_ text: some StringProtocol) -> ObjectID? { ObjectID(Array(text.utf8)[...]) }
}
