import NIOHTTP1
import Platform

/// A request that the router answers itself, before it looks for an app.
struct RequestRefusal: Error, Equatable {
  let page: ErrorPage

  init(_ status: Int, _ detail: String) { page = .badRequest(status, detail) }
}

/// Where a request came in.
struct RequestOrigin: Sendable {
  /// The client's address without port.
  var client: String
  /// The port the client connected to.
  var port: Int
}

/// What will be done with one request: which host it is for, what is sent on, and what its client can take.
struct RequestPlan: Sendable {
  let host: String
  /// The request as the instance gets it, in origin-form.
  let head: HTTPRequestHead
  let requestID: String
  let client: String
  let hasBody: Bool
  /// Sending it twice does no harm (RFC 9110 section 9.2.2), and there is no body that would be gone.
  let mayResend: Bool
  /// Asks for another protocol on this connection.
  let wantsUpgrade: Bool
  let expectsContinue: Bool
  /// The client would like to send another request on this connection.
  let keepAlive: Bool
  /// HTTP/1.0: knows neither chunks nor interim responses.
  let isOldClient: Bool

  /// Throws ``RequestRefusal`` for what the router does not forward.
  init(_ request: HTTPRequestHead, from origin: RequestOrigin, at now: Timestamp) throws(RequestRefusal) {
    let headers = request.headers
    isOldClient = request.version.minor == 0
    hasBody = try Self.framing(request)
    guard request.method != .CONNECT else { throw RequestRefusal(405, "This is not a forward proxy.") }
    guard headers.allSatisfy({ Self.isOneLine($0.value) }) else { throw RequestRefusal(400, "A header is malformed.") }
    let target = try Self.target(request)
    host = target.host
    client = origin.client
    let connection = HeaderRules.tokens(headers, "connection")
    let protocols = HeaderRules.tokens(headers, "upgrade")
    // h2c would hide all later requests from the router.
    wantsUpgrade =
      !isOldClient && !hasBody && connection.contains("upgrade") && !protocols.isEmpty
      && !protocols.contains { $0.hasPrefix("h2") }
    let expectations = HeaderRules.tokens(headers, "expect")
    guard expectations.allSatisfy({ $0 == "100-continue" }) else { throw RequestRefusal(417, "Unknown expectation.") }
    expectsContinue = !expectations.isEmpty && !isOldClient
    // After a request with Upgrade the decoder stops for good, whatever the answer is.
    keepAlive = request.isKeepAlive && !connection.contains("upgrade")
    let idempotent: Set<String> = ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]
    mayResend = !hasBody && !wantsUpgrade && idempotent.contains(request.method.rawValue)
    requestID = Self.requestID(headers.first(name: "x-request-id"))

    var forwarded = HeaderRules.forwardedRequest(headers)
    if !expectsContinue { forwarded.remove(name: "Expect") }
    forwarded.replaceOrAdd(name: "Host", value: target.authority)
    forwarded.add(name: "X-Request-Id", value: requestID)
    forwarded.add(name: "X-Forwarded-For", value: origin.client)
    forwarded.add(name: "X-Forwarded-Proto", value: "http")
    forwarded.add(name: "X-Forwarded-Port", value: String(origin.port))
    forwarded.add(name: "X-Request-Start", value: String(now.microseconds / 1000))
    forwarded.add(name: "Via", value: (headers["via"] + ["1.\(request.version.minor) paas"]).joined(separator: ", "))
    if hasBody, !forwarded.contains(name: "content-length") {
      forwarded.add(name: "Transfer-Encoding", value: "chunked")
    }
    if wantsUpgrade {
      forwarded.add(name: "Connection", value: "Upgrade")
      forwarded.add(name: "Upgrade", value: headers["upgrade"].joined(separator: ", "))
    }
    head = HTTPRequestHead(version: .http1_1, method: request.method, uri: target.uri, headers: forwarded)
  }

  /// Whether there is a body. Anything that two parsers could read differently is refused (RFC 9112 section 6.3).
  private static func framing(_ request: HTTPRequestHead) throws(RequestRefusal) -> Bool {
    let lengths = request.headers["content-length"]
    let codings = request.headers["transfer-encoding"]
    if !codings.isEmpty {
      guard codings.count == 1, codings[0].lowercased() == "chunked" else {
        throw RequestRefusal(501, "Unknown transfer coding.")
      }
      guard lengths.isEmpty, request.version.minor >= 1 else {
        throw RequestRefusal(400, "The body's length is unclear.")
      }
      return true
    }
    guard let length = lengths.first else { return false }
    guard lengths.count == 1, !length.isEmpty, length.utf8.allSatisfy({ (48...57).contains($0) }) else {
      throw RequestRefusal(400, "The body's length is unclear.")
    }
    return length.utf8.contains { $0 != 48 }
  }

  /// Host and target, from origin-form with a `Host` header or from absolute-form, which wins (RFC 9112 section 3.2).
  private static func target(_ request: HTTPRequestHead) throws(RequestRefusal)
    -> (host: String, authority: String, uri: String)
  {
    let hosts = request.headers["host"]
    guard hosts.count == 1 || (hosts.isEmpty && request.version.minor == 0) else {
      throw RequestRefusal(400, "There must be one Host header.")
    }
    var authority = hosts.first ?? ""
    var uri = request.uri
    if let scheme = ["http://", "https://"].first(where: { uri.lowercased().hasPrefix($0) }) {
      let rest = uri.dropFirst(scheme.count)
      let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
      authority = String(rest[..<end])
      uri = String(rest[end...])
      if !uri.hasPrefix("/") { uri = "/" + uri }
    }
    guard uri.hasPrefix("/") || (uri == "*" && request.method == .OPTIONS) else {
      throw RequestRefusal(400, "The request target is malformed.")
    }
    guard let host = HostName.normalized(authority) else { throw RequestRefusal(400, "The Host header is malformed.") }
    return (host, authority, uri)
  }

  private static func isOneLine(_ value: String) -> Bool {
    value.utf8.allSatisfy { $0 != 13 && $0 != 10 && $0 != 0 }
  }

  /// The client's own, when it is one (20 to 200 letters, digits and hyphens, as Heroku), else a new one.
  private static func requestID(_ given: String?) -> String {
    if let given, (20...200).contains(given.utf8.count),
      given.utf8.allSatisfy({
        (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-")
      })
    {
      return given
    }
    return ID<RequestTag>().description
  }
}

enum RequestTag {}
