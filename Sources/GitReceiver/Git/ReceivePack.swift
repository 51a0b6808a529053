import Platform

/// One line of a push: "make `ref`, which I believe is at `old`, be `new`".
struct RefCommand: Equatable, Sendable {
  var old: ObjectID
  var new: ObjectID
  /// As it was sent. Reports echo it byte for byte, or the client does not know its own ref.
  var name: [UInt8]
  /// The name, if it is a valid one.
  var ref: RefName?

  var isDelete: Bool { new.isZero }
  var isCreate: Bool { old.isZero }
}

/// What the client says it can do (gitprotocol-capabilities(5)).
struct ClientCapabilities: Equatable, Sendable {
  /// Either version: they differ only where a hook rewrites refs, which ours do not.
  var reportStatus = false
  var sideBand = false
  var atomic = false
  var quiet = false
  /// A list of them follows the commands.
  var pushOptions = false

  /// Reads the list after the NUL of the first command. Unknown words are ignored, as git does.
  /// Throws ``GitError`` for an object format other than SHA-1.
  init(_ words: some StringProtocol) throws(GitError) {
    for word in words.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
      switch word {
      case "report-status", "report-status-v2": reportStatus = true
      case "side-band-64k": sideBand = true
      case "atomic": atomic = true
      case "quiet": quiet = true
      case "push-options": pushOptions = true
      case _ where word.hasPrefix("object-format=") && word != "object-format=sha1":
        throw GitError(
          .protocolBroken, "unsupported object format '\(printable(String(word.dropFirst(14))))'",
          next: "only SHA-1 repositories can be pushed here")
      default: break
      }
    }
  }

  init() {}
}

/// What the server offers; git lets a repository's settings decide about both.
struct ServerFeatures: Equatable, Sendable {
  var atomic = true
  var pushOptions = true

  /// In git's order.
  var capabilities: String {
    "report-status report-status-v2 delete-refs side-band-64k quiet" + (atomic ? " atomic" : "") + " ofs-delta"
      + (pushOptions ? " push-options" : "") + " object-format=sha1 agent=paas/0.1"
  }
}

/// The server's side of receive-pack's conversation up to the pack, as a value: bytes to send come out, packets go
/// in (gitprotocol-pack(5), "Pushing Data To a Server").
struct ReceivePack {
  /// What to do after a packet.
  enum Action: Equatable {
    case readPacket
    /// The list is complete. Without commands there is nothing to do; without creations there is no pack.
    case commandsComplete
  }

  /// More refs in one push are refused, and so are more bytes of commands: that is what a client can make us hold.
  static let maximumCommands = 100_000
  static let maximumCommandBytes = 16 << 20
  /// Push options, and the bytes of all of them.
  static let maximumOptions = 1000
  static let maximumOptionBytes = 1 << 20

  private(set) var commands: [RefCommand] = []
  private(set) var client = ClientCapabilities()
  /// Commits whose parents the client does not have.
  private(set) var shallow: [ObjectID] = []
  /// What the person said with `git push -o`.
  private(set) var options: [String] = []
  private let features: ServerFeatures
  private var isListComplete = false
  private var bytes = 0

  init(_ features: ServerFeatures = ServerFeatures()) { self.features = features }

  /// The pack follows when anything is created or updated.
  var expectsPack: Bool { commands.contains { !$0.isDelete } }

  /// Everything the server says before the client speaks: refs in the order of their names, objects that it has besides
  /// (`haves`), and where its own history is cut off (`shallow`).
  static func advertisement(
    _ refs: [(name: [UInt8], id: ObjectID)], haves: [ObjectID] = [], shallow: [ObjectID] = [],
    version: GitProtocolVersion, features: ServerFeatures = ServerFeatures()
  ) -> [UInt8] {
    var bytes: [UInt8] = version == .v1 ? PktLine.encode("version 1\n") : []
    var lines = refs.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    var seen = Set(refs.map(\.id))
    for id in haves where seen.insert(id).inserted { lines.append((Array(".have".utf8), id)) }
    if lines.isEmpty { lines.append((Array("capabilities^{}".utf8), ObjectID([]))) }
    for (index, line) in lines.enumerated() {
      let capabilities = index == 0 ? [0] + Array(features.capabilities.utf8) : []
      bytes += PktLine.encode(Array("\(line.id) ".utf8) + line.name + capabilities + [10])
    }
    for id in shallow { bytes += PktLine.encode("shallow \(id)\n") }
    return bytes + PktLine.flushBytes
  }

  /// A refusal in place of the advertisement: git prints `fatal: remote error: …`.
  static func refusal(_ message: String) -> [UInt8] { PktLine.encode("ERR \(message)") }

  /// Takes one packet. Throws ``GitError`` when the client breaks the protocol.
  mutating func receive(_ packet: PktLine) throws(GitError) -> Action {
    guard case .data(var line) = packet else {
      // Options, if the client has any, are a list of their own.
      let isFirstList = !isListComplete
      isListComplete = true
      return isFirstList && client.pushOptions && !commands.isEmpty ? .readPacket : .commandsComplete
    }
    bytes += line.count
    if isListComplete { return try receive(option: line) }
    guard bytes <= Self.maximumCommandBytes else { throw Self.tooMany }
    if let nul = line.firstIndex(of: 0) {
      if commands.isEmpty { client = try capabilities(line[(nul + 1)...]) }
      line.removeSubrange(nul...)
    }
    if line.last == UInt8(ascii: "\n") { line.removeLast() }
    if line.starts(with: "shallow ".utf8) {
      guard let id = ObjectID(line.dropFirst(8)) else {
        throw GitError(.protocolBroken, "protocol error: expected shallow sha, got '\(Self.text(line.dropFirst(8)))'")
      }
      guard shallow.count < Self.maximumCommands else {
        throw GitError(
          .limit, "the clone is shallow in too many places", next: "run `git fetch --unshallow` and push again")
      }
      shallow.append(id)
    } else {
      guard commands.count < Self.maximumCommands else { throw Self.tooMany }
      commands.append(try Self.command(line))
    }
    return .readPacket
  }

  private static var tooMany: GitError {
    GitError(
      .limit, "more than \(maximumCommands) refs, or \(maximumCommandBytes >> 20) MiB of their names, in one push",
      next: "push fewer refs at a time")
  }

  /// What was not offered does not count.
  private func capabilities(_ words: ArraySlice<UInt8>) throws(GitError) -> ClientCapabilities {
    var client = try ClientCapabilities(String(decoding: words, as: UTF8.self))
    client.atomic = client.atomic && features.atomic
    client.pushOptions = client.pushOptions && features.pushOptions
    return client
  }

  private mutating func receive(option line: [UInt8]) throws(GitError) -> Action {
    guard options.count < Self.maximumOptions, bytes <= Self.maximumCommandBytes + Self.maximumOptionBytes else {
      throw GitError(.limit, "more than \(Self.maximumOptions) push options", next: "push with fewer -o")
    }
    options.append(String(decoding: line.last == UInt8(ascii: "\n") ? line.dropLast() : line[...], as: UTF8.self))
    return .readPacket
  }

  private static func command(_ line: [UInt8]) throws(GitError) -> RefCommand {
    let space = UInt8(ascii: " ")
    guard line.count > 82, line[40] == space, line[81] == space, let old = ObjectID(line[0..<40]),
      let new = ObjectID(line[41..<81])
    else { throw badLine(line) }
    let name = Array(line[82...])
    guard !name.contains(UInt8(ascii: "\n")) else { throw badLine(line) }
    let text = String(validating: name, as: UTF8.self)
    // An invalid name is no broken protocol: the report says so for that ref.
    return RefCommand(old: old, new: new, name: name, ref: text.flatMap { try? RefName($0) })
  }

  private static func badLine(_ line: [UInt8]) -> GitError {
    GitError(.protocolBroken, "protocol error: expected old/new/ref, got '\(text(line))'")
  }

  private static func text(_ bytes: some Sequence<UInt8>) -> String {
    printable(String(decoding: Array(bytes), as: UTF8.self))
  }
}

/// What the client is told about each ref in the end (gitprotocol-pack(5), "Report Status").
struct PushReport: Equatable {
  enum Result: Equatable {
    case ok
    /// Shown as `! [remote rejected] main -> main (reason)`.
    case rejected(String)
  }

  /// Why the pack was refused; `nil`: it was taken.
  var unpackError: String?
  var results: [(name: [UInt8], result: Result)] = []

  static func == (left: PushReport, right: PushReport) -> Bool { left.encoded == right.encoded }

  /// Packet lines with their flush; with side band the caller wraps them.
  var encoded: [UInt8] {
    var bytes = PktLine.encode("unpack \(oneLine(unpackError ?? "ok"))\n")
    for (name, result) in results {
      switch result {
      case .ok: bytes += PktLine.encode(Array("ok ".utf8) + name + [10])
      case .rejected(let reason):
        bytes += PktLine.encode(Array("ng ".utf8) + name + Array(" \(oneLine(reason))\n".utf8))
      }
    }
    return bytes + PktLine.flushBytes
  }
}

/// Text for a place that has one line: control characters become spaces, 500 characters at most.
func oneLine(_ text: String) -> String {
  String(text.unicodeScalars.prefix(500).map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
}
