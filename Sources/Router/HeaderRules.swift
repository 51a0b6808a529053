import NIOHTTP1

/// Which header fields cross the router. Names are compared in lower case.
enum HeaderRules {
  /// Meant for one connection only (RFC 9110 section 7.6.1), with what old agents send.
  private static let hopByHop: Set<String> = [
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te",
    "transfer-encoding", "upgrade",
  ]

  /// Only the router says these; a client's own are dropped. `proxy` would become HTTP_PROXY in CGI-like servers.
  private static let routerOnly: Set<String> = [
    "x-request-id", "x-request-start", "x-real-ip", "forwarded", "via", "proxy",
  ]

  /// What a `Connection` header may not take away: framing and routing stand on them.
  private static let essential: Set<String> = ["host", "content-length", "transfer-encoding", "content-type", "expect"]

  /// The tokens of all fields of this name, in lower case.
  static func tokens(_ headers: HTTPHeaders, _ name: String) -> [String] {
    headers[canonicalForm: name].map { $0.lowercased() }
  }

  /// The fields of a request that go on to the instance.
  static func forwardedRequest(_ headers: HTTPHeaders) -> HTTPHeaders {
    let named = Set(tokens(headers, "connection")).subtracting(essential)
    var result = HTTPHeaders()
    result.reserveCapacity(headers.count + 8)
    for (name, value) in headers {
      let lower = name.lowercased()
      if hopByHop.contains(lower) || named.contains(lower) || lower == "trailer" || isRouterOnly(lower) { continue }
      result.add(name: name, value: value)
    }
    return result
  }

  /// The fields of a response, or of its trailers, that go on to the client.
  static func forwardedResponse(_ headers: HTTPHeaders) -> HTTPHeaders {
    let named = Set(tokens(headers, "connection")).subtracting(essential)
    var result = HTTPHeaders()
    result.reserveCapacity(headers.count + 3)
    for (name, value) in headers {
      let lower = name.lowercased()
      if hopByHop.contains(lower) || named.contains(lower) { continue }
      result.add(name: name, value: value)
    }
    return result
  }

  /// Trailers may not change how a message is framed or routed (RFC 9110 section 6.5.1).
  static func forwardedTrailers(_ trailers: HTTPHeaders) -> HTTPHeaders {
    var result = forwardedResponse(trailers)
    for name in essential { result.remove(name: name) }
    return result
  }

  /// WSGI, Rack and CGI turn '_' and '-' into the same name, so `X_Forwarded_For` is a spoof as well.
  private static func isRouterOnly(_ lower: String) -> Bool {
    let name = lower.contains("_") ? String(lower.map { $0 == "_" ? "-" : $0 }) : lower
    return name.hasPrefix("x-forwarded-") || (routerOnly.contains(name))
  }
}
