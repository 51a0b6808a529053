@testable import Router

/// A response's head that an instance wrote: read at once and as it comes, and written for each kind of client.
enum FuzzedResponse {
  private static let limits: [HeadLimits] = [
    HeadLimits(), HeadLimits(bytes: 160, fields: 4, value: 48, target: 24),
  ]
  private static let unlimited = HeadLimits(bytes: 1 << 24, fields: 1 << 20, value: 1 << 24, target: 1 << 24)
  private static let cookie = Array("Set-Cookie: paas-instance=1\r\n".utf8)
  private static let date = Array("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".utf8)

  static func run(_ bytes: [UInt8]) {
    for limits in limits {
      let head = ResponseHead()
      let outcome = ResponseParser.parse(bytes.span.bytes, limits: limits, into: head)
      if outcome == .complete {
        judge(head, bytes, limits)
        if head.status < 200 { interim(head, bytes) } else { final(head, bytes) }
      }
      let length = outcome == .complete ? head.length : bytes.count
      for cut in RouterFuzzEntry.cuts(length) { inPieces(bytes, cut, limits, whole: outcome) }
    }
  }

  private static func judge(_ head: ResponseHead, _ bytes: [UInt8], _ limits: HeadLimits) {
    precondition(head.length <= min(bytes.count, limits.bytes), "longer than what came, or than allowed")
    for range in [head.statusText, head.lengthText] + head.runs + head.connections + head.upgrades {
      precondition(range.end <= head.length, "a range behind the head")
      _ = bytes.span.bytes.copy(range)
    }
    precondition(!(head.isChunked && head.contentLength != nil), "two framings")
    precondition((head.contentLength ?? 0) >= 0 && (100...599).contains(head.status), "no length, or no status")
  }

  private static func inPieces(_ bytes: [UInt8], _ cut: Int, _ limits: HeadLimits, whole: ResponseParser.Outcome) {
    let head = ResponseHead()
    let front = Array(bytes[..<cut])
    let early = ResponseParser.parse(front.span.bytes, limits: limits, into: head)
    precondition(early != .complete, "whole before its end")
    guard early == .incomplete else { return precondition(whole == .malformed, "refused in pieces only") }
    var end = HeadEnd()
    precondition(end.look(at: front.span.bytes) != .complete, "an end that the parser does not see")
    guard end.seen > 0 else { return }
    switch end.look(at: bytes.span.bytes) {
    case .incomplete, .malformed: precondition(whole != .complete, "its end is not found in pieces")
    case .complete: precondition(whole != .incomplete, "an end that the parser does not see")
    }
  }

  private static func interim(_ head: ResponseHead, _ bytes: [UInt8]) {
    let written = write(ResponseWriter.bound(head, cookie: 0)) { out in
      ResponseWriter.writeInterim(head, bytes.span.bytes, to: &out)
    }
    let again = read(written)
    precondition(again.status == head.status, "another status")
    precondition(!again.isChunked && again.contentLength == nil, "an interim response with a body")
    fields(head, bytes, written)
  }

  private static func final(_ head: ResponseHead, _ bytes: [UInt8]) {
    for isHead in [false, true] {
      for isOld in [false, true] {
        for keepsAlive in [false, true] {
          let asker = ResponsePlan.Asker(isHead: isHead, isOld: isOld, keepsAlive: keepsAlive)
          let plan = ResponsePlan(head, to: asker, mustClose: false)
          let writer = ResponseWriter(plan: plan, isOldClient: isOld, date: date, cookie: cookie)
          let written = write(ResponseWriter.bound(head, cookie: cookie.count)) { out in
            writer.write(head, bytes.span.bytes, to: &out)
          }
          let again = read(written)
          framed(again, head, plan, isOld: isOld)
          fields(head, bytes, written)
        }
      }
    }
  }

  private static func write(_ bound: Int, _ body: (inout ByteWriter) -> Void) -> [UInt8] {
    var memory = [UInt8](repeating: 0xFF, count: bound)
    let count = memory.withUnsafeMutableBytes { memory in
      var out = ByteWriter(memory)
      body(&out)
      precondition(!out.overflowed, "more than its bound")
      return out.count
    }
    return Array(memory[..<count])
  }

  private static func read(_ written: [UInt8]) -> ResponseHead {
    let head = ResponseHead()
    let outcome = ResponseParser.parse(written.span.bytes, limits: unlimited, into: head)
    precondition(outcome == .complete && head.length == written.count, "what is written is not one head")
    return head
  }

  /// The client sees where the response ends, and that is where the instance said.
  private static func framed(_ again: ResponseHead, _ head: ResponseHead, _ plan: ResponsePlan, isOld: Bool) {
    precondition(again.status == head.status && again.minor == 1 && again.hasDate, "another status, or no date")
    precondition(again.isChunked == (plan.ending == .chunked), "chunks that are not announced, or none that are")
    if isOld { precondition(!again.isChunked, "chunks for a client that knows none") }
    let length = plan.ending == .counted && head.status != 204 ? head.contentLength : nil
    precondition(again.contentLength == length, "another length")
    precondition(again.closes == plan.closesClient, "the connection's end is not announced")
    if plan.ending == .close { precondition(plan.closesClient, "an end that never comes") }
    if case .close = plan.source { precondition(!plan.keepsUpstream, "kept, though its end is the response's") }
  }

  /// No field of the hop, or that `Connection` names, goes on, and no field is lost without reason.
  private static func fields(_ head: ResponseHead, _ bytes: [UInt8], _ written: [UInt8]) {
    let gone: Set<FieldName> = [
      .keepAlive, .proxyConnection, .te, .http2Settings, .proxyAuthenticate, .proxyAuthorization,
    ]
    let named = Set(head.connections.flatMap { FuzzedLines.list(bytes.span.bytes, $0) })
    let essential: Set<[UInt8]> = Set(["content-type", "date", "set-cookie"].map { Array($0.utf8) })
    let own: Set<FieldName> = [.connection, .upgrade, .transferEncoding, .contentLength, .via]
    let wanted = FuzzedLines.check(Array(bytes[..<head.length])).filter { field in
      !field.kind.staysBehindInResponse && (essential.contains(field.lower) || !named.contains(field.lower))
    }
    let found = FuzzedLines.check(written)
    precondition(found.allSatisfy { !gone.contains($0.kind) && !$0.hasSpace }, "a field of the hop goes on")
    let passed = found.filter { !own.contains($0.kind) }.map(\.text)
    let expected = wanted.filter { !own.contains($0.kind) }.map(\.text)
    precondition(passed.starts(with: expected), "fields that were to stay behind, or were lost")
    precondition(passed.count <= expected.count + 2, "fields from nowhere")
  }
}
