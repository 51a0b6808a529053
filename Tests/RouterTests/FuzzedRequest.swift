@testable import Router

/// A request's head that a stranger wrote: read at once and as it comes, and written for an instance.
enum FuzzedRequest {
  /// The limits in force, those that a short input can reach, and none.
  private static let limits: [HeadLimits] = [
    HeadLimits(), HeadLimits(bytes: 160, fields: 4, value: 48, target: 24),
  ]
  private static let unlimited = HeadLimits(bytes: 1 << 24, fields: 1 << 20, value: 1 << 24, target: 1 << 24)

  static func run(_ bytes: [UInt8]) {
    for limits in limits {
      let head = RequestHead()
      let outcome = RequestParser.parse(bytes.span.bytes, limits: limits, into: head)
      if outcome == .complete {
        judge(head, bytes, limits)
        write(head, bytes)
      }
      let length = outcome == .complete ? head.length : bytes.count
      for cut in RouterFuzzEntry.cuts(length) {
        inPieces(bytes, cut, limits, whole: outcome, head)
      }
    }
  }

  private static func judge(_ head: RequestHead, _ bytes: [UInt8], _ limits: HeadLimits) {
    let span = bytes.span.bytes
    precondition(head.length <= min(bytes.count, limits.bytes), "longer than what came, or than allowed")
    FuzzedLines.check(Array(bytes[..<head.length]))
    for range in [head.method, head.target, head.host, head.authority] + head.runs + head.specials.map(\.value) {
      precondition(range.end <= head.length, "a range behind the head")
      _ = span.copy(range)
    }
    precondition(!head.method.isEmpty && head.contentLength >= 0, "no method, or a length below zero")
    precondition(!(head.flags.contains(.chunked) && head.flags.contains(.hasLength)), "two framings")
  }

  /// As a connection does it: parsed once, then searched for its end, then parsed again.
  private static func inPieces(
    _ bytes: [UInt8], _ cut: Int, _ limits: HeadLimits, whole: RequestParser.Outcome, _ wholeHead: RequestHead
  ) {
    let head = RequestHead()
    let front = Array(bytes[..<cut])
    let early = RequestParser.parse(front.span.bytes, limits: limits, into: head)
    precondition(early != .complete, "whole before its end")
    guard early == .incomplete else { return precondition(isFailed(whole), "refused in pieces only") }
    var end = HeadEnd()
    precondition(end.look(at: front.span.bytes) != .complete, "an end that the parser does not see")
    guard end.seen > 0 else { return }
    switch end.look(at: bytes.span.bytes) {
    case .incomplete, .malformed: precondition(whole != .complete, "its end is not found in pieces")
    case .complete:
      let outcome = RequestParser.parse(bytes.span.bytes, limits: limits, into: head)
      precondition(outcome == whole && outcome != .incomplete, "otherwise in pieces")
      precondition(outcome != .complete || head.length == wholeHead.length, "shorter in pieces")
    }
  }

  private static func isFailed(_ outcome: RequestParser.Outcome) -> Bool {
    if case .failed = outcome { return true }
    return false
  }

  /// What the instance gets is one request with the same meaning, whoever sent it.
  private static func write(_ head: RequestHead, _ bytes: [UInt8]) {
    // Nothing is written for a host that is none.
    guard HostName(bytes.span.bytes, head.host) != nil else { return }
    for isTrusted in [false, true] {
      for address in ["192.0.2.1", "2001:db8::1"] {
        let origin = RequestOrigin(address: Array(address.utf8), port: 443, isSecure: isTrusted, isTrusted: isTrusted)
        for stripped in [0, prefix(head, bytes)] {
          let writer = RequestWriter(
            origin: origin, now: 1000, random: (UInt64.max, 0), stripped: stripped,
            upgrades: head.flags.contains(.mayUpgrade))
          check(writer, head, bytes)
        }
      }
    }
  }

  /// A mount takes away whole segments.
  private static func prefix(_ head: RequestHead, _ bytes: [UInt8]) -> Int {
    let target = bytes[head.target.start..<head.target.end]
    guard target.first == UInt8(ascii: "/") else { return 0 }
    let path = target.prefix { $0 != UInt8(ascii: "?") }
    return (path.dropFirst().firstIndex(of: UInt8(ascii: "/")) ?? path.endIndex) - path.startIndex
  }

  private static func check(_ writer: RequestWriter, _ head: RequestHead, _ bytes: [UInt8]) {
    var memory = [UInt8](repeating: 0xFF, count: RequestWriter.bound(head, origin: writer.origin))
    var written = WrittenRequest()
    let count = memory.withUnsafeMutableBytes { memory in
      var out = ByteWriter(memory)
      written = writer.write(head, bytes.span.bytes, to: &out)
      precondition(!out.overflowed, "more than its bound")
      return out.count
    }
    memory.removeLast(memory.count - count)
    let again = RequestHead()
    let outcome = RequestParser.parse(memory.span.bytes, limits: unlimited, into: again)
    precondition(outcome == .complete && again.length == count, "what is written is not one request")
    same(writer, head, bytes, again, memory)
    let span = memory.span.bytes
    precondition(written.method == again.method && written.target == again.target, "the line is noted elsewhere")
    precondition(span.copy(written.host) == span.copy(again.host), "the host is noted elsewhere")
    fields(FuzzedLines.check(memory), head, upgrades: writer.upgrades)
    precondition(again.first(.xRequestID) == written.requestID, "the id is noted elsewhere")
    precondition(again.first(.xForwardedFor) == written.forwardedFor, "the chain is noted elsewhere")
  }

  private static func same(
    _ writer: RequestWriter, _ head: RequestHead, _ bytes: [UInt8], _ again: RequestHead, _ memory: [UInt8]
  ) {
    let before = bytes.span.bytes
    let after = memory.span.bytes
    precondition(before.copy(head.method) == after.copy(again.method), "another method")
    precondition(before.copy(head.host) == after.copy(again.host), "another host")
    var target = Array(before.copy(head.target).dropFirst(writer.stripped))
    if head.isAsterisk { target = [UInt8(ascii: "*")] }
    if target.isEmpty || target.first == UInt8(ascii: "?") { target.insert(UInt8(ascii: "/"), at: 0) }
    precondition(target == after.copy(again.target), "another target")
    for flag in [RequestHead.Flags.chunked, .hasLength] {
      precondition(head.flags.contains(flag) == again.flags.contains(flag), "another framing")
    }
    precondition(head.contentLength == again.contentLength && !again.isOld, "another length or version")
    precondition(writer.upgrades == again.flags.contains(.mayUpgrade), "an upgrade that was not asked for, or none")
  }

  /// Fields of the router are there once, those of the hop not at all, and none can be taken for one of them.
  private static func fields(_ fields: [FuzzedLines.Field], _ head: RequestHead, upgrades: Bool) {
    var counts: [FieldName: Int] = [:]
    for field in fields {
      let name = field.kind
      counts[name, default: 0] += 1
      if field.name.contains(UInt8(ascii: "_")) {
        precondition(field.underscored == .other, "a field that CGI takes for another")
      }
    }
    for name in [FieldName.host, .xForwardedFor, .xForwardedProto, .xForwardedPort, .xForwardedHost, .forwarded] {
      precondition(counts[name] == 1, "a field of the router twice or not at all")
    }
    for name in [FieldName.via, .xRequestID, .xRequestStart] {
      precondition(counts[name] == 1, "a field of the router twice or not at all")
    }
    let gone: [FieldName] = [
      .keepAlive, .proxyConnection, .te, .http2Settings, .proxyAuthenticate, .proxyAuthorization, .xRealIP, .proxy,
    ]
    for name in gone { precondition(counts[name] == nil, "a field of the hop goes on") }
    precondition(counts[.transferEncoding, default: 0] == (head.flags.contains(.chunked) ? 1 : 0), "codings")
    precondition(counts[.contentLength, default: 0] == (head.flags.contains(.hasLength) ? 1 : 0), "lengths")
    precondition(counts[.connection, default: 0] == (upgrades ? 1 : 0), "Connection goes on")
    precondition(upgrades || counts[.upgrade] == nil, "Upgrade goes on")
  }
}
