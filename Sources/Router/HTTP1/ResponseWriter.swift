/// How a response's body reaches the client, and what becomes of both connections afterwards.
struct ResponsePlan: Equatable, Sendable {
  /// How the instance ends the body.
  enum Source: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
    case close
  }

  /// How the client sees the end.
  enum Ending: Equatable, Sendable {
    /// By length, or there is no body at all.
    case counted
    case chunked
    /// By the connection's end (HTTP/1.0 clients): only a reset shows that it is not the end.
    case close
  }

  let source: Source
  let ending: Ending
  let closesClient: Bool
  /// After its end, the instance takes another request on the same connection.
  let keepsUpstream: Bool

  /// What of a request a response's framing depends on.
  struct Asker: Equatable, Sendable {
    var isHead = false
    /// HTTP/1.0: knows neither chunks nor interim responses.
    var isOld = false
    var keepsAlive = true
  }

  /// `mustClose`: the client's connection cannot go on for other reasons, such as a request that is still coming.
  init(_ response: ResponseHead, to asker: Asker, mustClose: Bool) {
    let isEmpty = asker.isHead || response.status == 204 || response.status == 304
    if isEmpty {
      source = .none
    } else if response.isChunked {
      source = .chunked
    } else if let length = response.contentLength {
      source = .length(length)
    } else {
      source = .close
    }
    switch source {
    case .none, .length: ending = .counted
    case .chunked, .close: ending = asker.isOld ? .close : .chunked
    }
    closesClient = mustClose || !asker.keepsAlive || ending == .close
    // A 204 that announces content may send it, and the next request's answer would begin with that.
    let isDoubtful = response.status == 204 && (response.isChunked || (response.contentLength ?? 0) > 0)
    keepsUpstream = response.isPersistent && source != .close && !isDoubtful
  }
}

/// Writes the head of a response as the client gets it.
struct ResponseWriter {
  let plan: ResponsePlan
  let isOldClient: Bool
  /// `Date: …CRLF` for a response that has none (RFC 9110 section 6.6.1).
  let date: [UInt8]
  /// `Set-Cookie: …CRLF`, or nothing.
  var cookie: [UInt8] = []

  static func bound(_ head: ResponseHead, cookie: Int) -> Int { head.length &+ cookie &+ 512 }

  func write(_ head: ResponseHead, _ bytes: RawSpan, to out: inout ByteWriter) {
    out.append("HTTP/1.1 ")
    Self.statusText(head, bytes, &out)
    for run in head.runs { out.append(bytes, run) }
    framing(head, bytes, &out)
    if !head.hasDate { out.append(date) }
    if !cookie.isEmpty { out.append(cookie) }
    if plan.closesClient {
      out.append("Connection: close\r\n")
    } else if isOldClient {
      out.append("Connection: keep-alive\r\n")
    } else if head.status == 426, !head.upgrades.isEmpty {
      out.append("Connection: Upgrade\r\n")
    }
    if head.status == 426 { Self.upgrades(head, bytes, &out) }
    if head.minor == 0 { out.append("Via: 1.0 paas\r\n\r\n") } else { out.append("Via: 1.1 paas\r\n\r\n") }
  }

  private func framing(_ head: ResponseHead, _ bytes: RawSpan, _ out: inout ByteWriter) {
    switch plan.ending {
    case .chunked: out.append("Transfer-Encoding: chunked\r\n")
    case .close: break
    case .counted:
      // What a GET would have brought is told to HEAD, and in a 304; a 204 never has a length (RFC 9110 section 8.6).
      guard head.status != 204, head.contentLength != nil else { return }
      out.append("Content-Length: ")
      out.append(bytes, head.lengthText)
      out.append("\r\n")
    }
  }

  /// Interim responses, and the 101 that opens a tunnel, which keeps its `Upgrade`.
  static func writeInterim(_ head: ResponseHead, _ bytes: RawSpan, to out: inout ByteWriter) {
    out.append("HTTP/1.1 ")
    statusText(head, bytes, &out)
    for run in head.runs { out.append(bytes, run) }
    if head.status == 101 {
      out.append("Connection: Upgrade\r\n")
      upgrades(head, bytes, &out)
    }
    out.append("\r\n")
  }

  private static func statusText(_ head: ResponseHead, _ bytes: RawSpan, _ out: inout ByteWriter) {
    out.append(bytes, head.statusText)
    if head.statusText.count == 3 { out.append(0x20) }
    out.append("\r\n")
  }

  private static func upgrades(_ head: ResponseHead, _ bytes: RawSpan, _ out: inout ByteWriter) {
    for value in head.upgrades {
      out.append("Upgrade: ")
      out.append(bytes, value)
      out.append("\r\n")
    }
  }
}
