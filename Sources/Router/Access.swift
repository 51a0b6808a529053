/// Whether a request may come to its app, and whether another address is the better one.
enum Access {
  /// The page that is answered instead; `nil` lets it in. Passwords are asked for later: they take time to check.
  static func refusal(
    _ app: LoopApp, _ entry: HostEntry, _ bytes: RawSpan, _ request: RequestHead, origin: RequestOrigin,
    worker: LoopWorker
  ) -> ErrorPage? {
    if let redirect = entry.redirect {
      return .moved(to: redirect.to + path(bytes, request.target), isPermanent: redirect.isPermanent)
    }
    let settings = app.route.settings
    if let allowed = settings.allowed {
      guard let address = client(bytes, request, origin, worker), allowed.contains(where: { $0.contains(address) })
      else { return .forbidden }
    }
    if let limit = settings.bodyLimit, request.contentLength > limit { return .tooLarge }
    return nil
  }

  /// Path and query as they came; what cannot stand in a field was refused before.
  private static func path(_ bytes: RawSpan, _ target: ByteRange) -> String {
    let text = bytes.text(target)
    return text.hasPrefix("/") ? text : "/" + text
  }

  /// Whose request it is: the peer's, or through trusted proxies the one they speak for.
  static func client(
    _ bytes: RawSpan, _ request: RequestHead, _ origin: RequestOrigin, _ worker: LoopWorker
  ) -> IPAddress? {
    let peer = IPAddress(String(decoding: origin.address, as: UTF8.self))
    guard origin.isTrusted else { return peer }
    let chain = request.specials.filter { $0.name == .xForwardedFor }.map { bytes.text($0.value) }
    guard !chain.isEmpty else { return peer }
    return ForwardedChain.client(chain.joined(separator: ","), trusted: worker.shared.trusted)
  }
}

/// The cookie that keeps a browser with its instance.
enum Sticky {
  private static let name: StaticString = "paas-instance="

  static func field(_ backend: Backend) -> [UInt8] {
    Array("Set-Cookie: paas-instance=".utf8) + backend.cookie + Array("; Path=/; HttpOnly; SameSite=Lax\r\n".utf8)
  }

  /// The instance that the request's cookie names, if the app still has it.
  static func preferred(_ route: Route, _ bytes: RawSpan, _ request: RequestHead) -> Backend? {
    for special in request.specials where special.name == .cookie {
      var offset = special.value.start
      while offset < special.value.end {
        var end = offset
        while end < special.value.end, bytes.byte(end) != UInt8(ascii: ";") { end &+= 1 }
        if let found = match(route, bytes, ByteRange(start: offset, end: end)) { return found }
        offset = end &+ 1
        while offset < special.value.end, bytes.byte(offset) == 0x20 { offset &+= 1 }
      }
    }
    return nil
  }

  private static func match(_ route: Route, _ bytes: RawSpan, _ pair: ByteRange) -> Backend? {
    let length = name.utf8CodeUnitCount
    guard pair.count > length, pair.end <= bytes.byteCount,
      bytes.equals(ByteRange(start: pair.start, end: pair.start &+ length), name)
    else { return nil }
    return route.backends.first { backend in
      guard backend.cookie.count == pair.count &- length else { return false }
      for index in backend.cookie.indices
      where bytes.byte(pair.start &+ length &+ index) != backend.cookie[index] { return false }
      return true
    }
  }
}
