import Platform

/// What the server says about itself and its refs.
struct UploadAdvertisement {
  let refs: UploadRefs
  let settings: UploadSettings

  static let agent = "agent=paas/0.1"

  /// Protocol 0 and 1 (gitprotocol-pack(5), "Reference Discovery"). `shallow`: the repository's own edge.
  func write(_ version: GitProtocolVersion, shallow: [ObjectID], to output: UploadOutput) throws {
    if version == .v1 { try output.packet("version 1\n") }
    var capabilities: [UInt8]? = [0] + Array(self.capabilities.utf8)
    for ref in refs.all {
      try output.packet(Array("\(ref.id) ".utf8) + ref.name + (capabilities ?? []) + [10])
      capabilities = nil
      if let peeled = ref.peeled { try output.packet(Array("\(peeled) ".utf8) + ref.name + Array("^{}\n".utf8)) }
    }
    for id in shallow { try output.packet("shallow \(id)\n") }
    try output.flushPacket()
  }

  private var capabilities: String {
    var words = [
      "multi_ack", "thin-pack", "side-band", "side-band-64k", "ofs-delta", "shallow", "deepen-since", "deepen-not",
      "deepen-relative", "no-progress", "include-tag", "multi_ack_detailed",
    ]
    if settings.allowTipInWant || settings.allowAnyInWant { words.append("allow-tip-sha1-in-want") }
    if settings.allowReachableInWant || settings.allowAnyInWant { words.append("allow-reachable-sha1-in-want") }
    if let target = refs.head?.symbolic { words.append("symref=HEAD:\(String(decoding: target, as: UTF8.self))") }
    if settings.allowFilter { words.append("filter") }
    return (words + ["object-format=sha1", Self.agent]).joined(separator: " ")
  }

  /// Protocol 2 (gitprotocol-v2(5), "Capability Advertisement").
  static func writeCapabilities(_ settings: UploadSettings, to output: UploadOutput) throws {
    let fetch = "fetch=shallow wait-for-done" + (settings.allowFilter ? " filter" : "")
    for line in ["version 2", agent, "ls-refs=unborn", fetch, "server-option", "object-format=sha1"] {
      try output.packet("\(line)\n")
    }
    try output.flushPacket()
  }
}

/// Protocol 2's `ls-refs` (gitprotocol-v2(5), "ls-refs").
struct ListRefs {
  private(set) var peel = false
  private(set) var symrefs = false
  private(set) var unborn = false
  private(set) var prefixes: [[UInt8]] = []
  private var prefixBytes = 0
  private var listsAll = false
  /// With more prefixes than this all refs are listed, as git does.
  private static let maximumPrefixes = 65536

  /// Throws ``GitError`` for an argument that is none.
  mutating func receive(_ line: [UInt8]) throws(GitError) {
    let text = UploadRequest.text(line)
    switch text {
    case "peel": peel = true
    case "symrefs": symrefs = true
    case "unborn": unborn = true
    case _ where text.hasPrefix("ref-prefix "):
      guard !listsAll else { return }
      prefixes.append(Array((line.last == 10 ? line.dropLast() : line[...]).dropFirst(11)))
      prefixBytes += line.count
      guard prefixes.count > Self.maximumPrefixes || prefixBytes > UploadRequest.maximumBytes else { return }
      listsAll = true
      prefixes = []
    default: throw GitError(.protocolBroken, "unexpected line: '\(printable(text))'")
    }
  }

  func write(_ refs: UploadRefs, to output: UploadOutput) throws {
    if refs.head == nil, unborn, let target = refs.headTarget, isWanted(Array("HEAD".utf8)) {
      try output.packet(Array("unborn HEAD".utf8) + (symrefs ? Array(" symref-target:".utf8) + target : []) + [10])
    }
    for ref in refs.all where isWanted(ref.name) {
      var line = Array("\(ref.id) ".utf8) + ref.name
      if symrefs, let target = ref.symbolic { line += Array(" symref-target:".utf8) + target }
      if peel, let peeled = ref.peeled { line += Array(" peeled:\(peeled)".utf8) }
      try output.packet(line + [10])
    }
    try output.flushPacket()
  }

  private func isWanted(_ name: [UInt8]) -> Bool {
    listsAll || prefixes.isEmpty || prefixes.contains { name.starts(with: $0) }
  }
}
