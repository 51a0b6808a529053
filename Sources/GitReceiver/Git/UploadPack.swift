import Glibc
import Linux
import Platform

/// Serves clones and fetches: git's `upload-pack` (gitprotocol-pack(5), gitprotocol-v2(5)).
public struct UploadPack {
  private let store: PackStore
  private let settings: UploadSettings
  private let transport: any GitTransport
  private let input: ClientInput
  private let output: UploadOutput

  /// Serves one client of the repository in `directory`. Returns the exit status: 128 where git would die, and then
  /// the client knows why. Throws when nothing can be sent any more.
  public static func serve(
    directory: String, transport: any GitTransport, version: GitProtocolVersion, settings: UploadSettings
  ) throws -> Int32 {
    let output = UploadOutput(transport)
    do {
      let server = UploadPack(
        store: try PackStore(directory), settings: settings, transport: transport,
        input: ClientInput(transport), output: output)
      switch version {
      case .v0, .v1: try server.serveOnce(version)
      case .v2: try server.serveCommands()
      }
      return 0
    } catch let error as GitError {
      let reason = error.kind == .disconnected ? "the remote end hung up unexpectedly" : error.message
      try transport.writeError(Array("fatal: \(oneLine(reason))\n".utf8))
      return 128
    }
  }

  /// The settings that the repository's own configuration holds. Throws when it cannot be opened.
  public static func settings(of directory: String) throws -> UploadSettings {
    try Repository.open(directory).uploadSettings()
  }

  // MARK: Protocol 0 and 1

  private func serveOnce(_ version: GitProtocolVersion) throws {
    let refs = try UploadRefs(store, settings: settings)
    let graph = try graph()
    let edge = try ownEdge()
    try UploadAdvertisement(refs: refs, settings: settings).write(version, shallow: edge, to: output)
    var request = UploadRequest()
    while case .data(let line) = try packet() {
      try request.receive(line, settings: settings)
    }
    try request.check()
    guard !request.wants.isEmpty else { return }
    let wants = try self.wants(request, refs, graph, isVersion2: false)
    output.bands = request.bands
    let shallow = try UploadShallow(
      request, wants: try wants.compactMap { try graph.node(peeling: $0) }, refs: refs, graph)
    if request.changesDepth {
      try shallow.write(to: output)
      try output.flushPacket()
    }
    let negotiation = UploadNegotiation(graph, wants: wants)
    try acknowledge(negotiation, request)
    try packfile(request, wants, shallow, negotiation, refs, graph).send()
  }

  /// Hears haves until the client is done (gitprotocol-pack(5), "Packfile Negotiation").
  private func acknowledge(_ negotiation: UploadNegotiation, _ request: UploadRequest) throws {
    var dialogue = UploadDialogue(request)
    while true {
      guard case .data(let line) = try packet() else {
        try output.packets(dialogue.flush(isEnough: { try negotiation.isEnough() }))
        if dialogue.isOver { return }
        continue
      }
      let text = UploadRequest.text(line)
      if text == "done" { return try output.packets(dialogue.done()) }
      guard text.hasPrefix("have ") else {
        throw GitError(.protocolBroken, "git upload-pack: expected SHA1 list, got '\(printable(text))'")
      }
      guard let id = UploadRequest.id(text.dropFirst(5)) else {
        throw GitError(
          .protocolBroken, "git upload-pack: expected SHA1 object, got '\(printable(String(text.dropFirst(5))))'")
      }
      let isCommon = try negotiation.receive(id)
      dialogue.commonCount = negotiation.common.count
      try output.packets(dialogue.have(id, isCommon: isCommon, isEnough: { try negotiation.isEnough() }))
    }
  }

  private func packfile(
    _ request: UploadRequest, _ wants: [ObjectNumber], _ shallow: UploadShallow?, _ negotiation: UploadNegotiation,
    _ refs: UploadRefs, _ graph: CommitGraph
  ) -> UploadPackfile {
    UploadPackfile(
      graph: graph, request: request, wants: wants, extraWants: shallow?.extraWants ?? [],
      common: negotiation.common, tags: refs.refs.filter { $0.name.starts(with: "refs/tags/".utf8) }, output: output)
  }
}

// MARK: Protocol 2

extension UploadPack {
  /// One command after the other, until the client leaves (gitprotocol-v2(5), "Command Request").
  private func serveCommands() throws {
    try UploadAdvertisement.writeCapabilities(settings, to: output)
    while true {
      guard case .data(let first) = try packet(mayEnd: true) else { return }
      var lines = [UploadRequest.text(first)]
      var next = try packet()
      var bytes = first.count
      while case .data(let line) = next {
        bytes += line.count
        guard lines.count < 1000, bytes <= UploadRequest.maximumBytes else {
          throw GitError(.limit, "more than 1000 capabilities in a request, or more than 1 MiB of them")
        }
        lines.append(UploadRequest.text(line))
        next = try packet()
      }
      let command = try Self.command(lines)
      guard next == .delimiter || next == .flush else {
        throw GitError(.protocolBroken, "expected flush after \(command) arguments")
      }
      switch command {
      case .listRefs: try listRefs(hasArguments: next == .delimiter)
      case .fetch: try fetch(hasArguments: next == .delimiter)
      }
    }
  }

  private enum Command: String {
    case listRefs = "ls-refs"
    case fetch
  }

  private static func command(_ lines: [String]) throws(GitError) -> Command {
    var command: Command?
    for line in lines {
      if line.hasPrefix("command=") {
        let name = String(line.dropFirst(8))
        guard let known = Command(rawValue: name) else {
          throw GitError(.protocolBroken, "invalid command '\(printable(name))'")
        }
        guard command == nil else { throw GitError(.protocolBroken, "command '\(name)' requested after another") }
        command = known
      } else if line.hasPrefix("object-format="), line != "object-format=sha1" {
        throw GitError(
          .protocolBroken, "mismatched object format: server sha1; client \(printable(String(line.dropFirst(14))))")
      } else if !["agent=", "server-option=", "object-format="].contains(where: { line.hasPrefix($0) }) {
        throw GitError(.protocolBroken, "unknown capability '\(printable(line))'")
      }
    }
    guard let command else { throw GitError(.protocolBroken, "no command requested") }
    return command
  }

  private func listRefs(hasArguments: Bool) throws {
    var list = ListRefs()
    while hasArguments, case .data(let line) = try packet() { try list.receive(line) }
    try list.write(try UploadRefs(store, settings: settings), to: output)
  }

  private func fetch(hasArguments: Bool) throws {
    var request = UploadRequest()
    while hasArguments, case .data(let line) = try packet() { try request.receiveArgument(line, settings: settings) }
    try request.check()
    guard !request.wants.isEmpty else { return }
    let refs = try UploadRefs(store, settings: settings)
    let graph = try graph()
    let wants = try self.wants(request, refs, graph, isVersion2: true)
    let negotiation = UploadNegotiation(graph, wants: wants)
    let common = try request.haves.filter { try negotiation.receive($0) }
    if !request.haves.isEmpty, !request.isDone {
      try output.packet("acknowledgments\n")
      if common.isEmpty { try output.packet("NAK\n") }
      for id in common { try output.packet("ACK \(id)\n") }
      guard !request.waitsForDone, try negotiation.isEnough() else { return try output.flushPacket() }
      try output.packet("ready\n")
      output.delimiter()
    }
    var shallow: UploadShallow?
    let edge = try ownEdge()
    if request.changesDepth || !request.shallow.isEmpty || !edge.isEmpty {
      try output.packet("shallow-info\n")
      var depth = request
      if !edge.isEmpty, !request.changesDepth { depth.depth = UploadRequest.infiniteDepth }
      let made = try UploadShallow(
        depth, wants: try wants.compactMap { try graph.node(peeling: $0) }, refs: refs, graph)
      try made.write(to: output)
      output.delimiter()
      shallow = made
    }
    try output.packet("packfile\n")
    try output.flush()
    output.bands = .large
    try packfile(request, wants, shallow, negotiation, refs, graph).send()
    output.bands = .none
  }
}

// MARK: What both have

extension UploadPack {
  /// The repository's own shallow edge (gitformat of `shallow`: one id per line).
  private func ownEdge() throws -> [ObjectID] {
    let file = "\(store.repository.path)/shallow"
    guard Files.exists(file) else { return [] }
    return try Files.text(file).split(separator: "\n").compactMap { UploadRequest.id($0) }
  }

  private func graph() throws -> CommitGraph {
    let graph = CommitGraph(store)
    for id in try ownEdge() {
      if let number = try store.number(of: id) { graph.cut(try graph.node(number)) }
    }
    return graph
  }

  /// The wanted objects. Throws ``GitError``, after telling the client, for one that it may not have.
  private func wants(
    _ request: UploadRequest, _ refs: UploadRefs, _ graph: CommitGraph, isVersion2: Bool
  ) throws -> [ObjectNumber] {
    var access = UploadAccess(refs: refs, settings: settings, graph: graph)
    var numbers: [ObjectNumber] = []
    for id in request.wants {
      guard let number = try store.number(of: id), try access.allows(number, id, isVersion2: isVersion2) else {
        try output.packet("ERR upload-pack: not our ref \(id)")
        try output.flush()
        throw GitError(.protocolBroken, "git upload-pack: not our ref \(id)")
      }
      numbers.append(number)
    }
    return numbers
  }

  /// The next packet. At the end of the stream: a flush where the client may leave, else it is an error.
  private func packet(mayEnd: Bool = false) throws -> UploadPacket {
    try output.flush()
    guard try input.fill() else {
      if mayEnd { return .flush }
      throw GitError(.protocolBroken, "the remote end hung up unexpectedly")
    }
    let header = try input.bytes(PktLine.headerLength)
    if header == Array("0001".utf8) { return .delimiter }
    if header == Array("0002".utf8) { return .responseEnd }
    guard let length = try PktLine.dataLength(header: header) else { return .flush }
    return .data(try input.bytes(length))
  }
}

/// A packet line with the special ones of protocol 2.
enum UploadPacket: Equatable {
  case data([UInt8])
  case flush, delimiter, responseEnd
}
