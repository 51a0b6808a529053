/// The field names that mean something to a router; everything else is ``other`` and goes through untouched.
enum FieldName: UInt8, Sendable {
  case other
  // Framing and connection (RFC 9112 sections 6 and 9, RFC 9110 section 7.6.1).
  case contentLength, transferEncoding, connection, keepAlive, proxyConnection, te, trailer, upgrade, http2Settings
  case proxyAuthenticate, proxyAuthorization
  // Routing.
  case host, expect
  // Said by the router, or by proxies that it trusts.
  case forwarded, xForwardedFor, xForwardedProto, xForwardedPort, xForwardedHost, xForwardedOther
  case xRealIP, xRequestID, xRequestStart, via
  /// Would become HTTP_PROXY in CGI-like servers ("httpoxy").
  case proxy
  // Looked at, and passed on.
  case accept, authorization, cookie, date

  /// Which one this is. `name` lies in `bytes` and is a token.
  static func of(_ bytes: RawSpan, _ name: ByteRange) -> FieldName {
    switch name.count {
    case 2: if bytes.equals(name, "te") { return .te }
    case 3: if bytes.equals(name, "via") { return .via }
    case 4:
      if bytes.equals(name, "host") { return .host }
      if bytes.equals(name, "date") { return .date }
    case 5: if bytes.equals(name, "proxy") { return .proxy }
    case 6:
      if bytes.equals(name, "accept") { return .accept }
      if bytes.equals(name, "cookie") { return .cookie }
      if bytes.equals(name, "expect") { return .expect }
    case 7:
      if bytes.equals(name, "upgrade") { return .upgrade }
      if bytes.equals(name, "trailer") { return .trailer }
    case 9:
      if bytes.equals(name, "forwarded") { return .forwarded }
      if bytes.equals(name, "x-real-ip") { return .xRealIP }
    case 10:
      if bytes.equals(name, "connection") { return .connection }
      if bytes.equals(name, "keep-alive") { return .keepAlive }
    default: return ofLong(bytes, name)
    }
    return .other
  }

  private static func ofLong(_ bytes: RawSpan, _ name: ByteRange) -> FieldName {
    switch name.count {
    case 12: if bytes.equals(name, "x-request-id") { return .xRequestID }
    case 13: if bytes.equals(name, "authorization") { return .authorization }
    case 14:
      if bytes.equals(name, "content-length") { return .contentLength }
      if bytes.equals(name, "http2-settings") { return .http2Settings }
    case 15:
      if bytes.equals(name, "x-forwarded-for") { return .xForwardedFor }
      if bytes.equals(name, "x-request-start") { return .xRequestStart }
    case 16:
      if bytes.equals(name, "x-forwarded-port") { return .xForwardedPort }
      if bytes.equals(name, "x-forwarded-host") { return .xForwardedHost }
      if bytes.equals(name, "proxy-connection") { return .proxyConnection }
    case 17:
      if bytes.equals(name, "transfer-encoding") { return .transferEncoding }
      if bytes.equals(name, "x-forwarded-proto") { return .xForwardedProto }
    case 18: if bytes.equals(name, "proxy-authenticate") { return .proxyAuthenticate }
    case 19: if bytes.equals(name, "proxy-authorization") { return .proxyAuthorization }
    default: break
    }
    let prefix = ByteRange(start: name.start, end: name.start &+ 12)
    return name.count > 12 && bytes.equals(prefix, "x-forwarded-") ? .xForwardedOther : .other
  }

  /// The name as WSGI, Rack and CGI read it, where `_` and `-` are the same: a spoof of one of the router's fields.
  static func ofUnderscored(_ bytes: RawSpan, _ name: ByteRange) -> FieldName {
    guard name.count <= 64 else { return .other }
    var copy = bytes.withUnsafeBytes { [UInt8]($0[name.start..<name.end]) }
    for index in copy.indices where copy[index] == UInt8(ascii: "_") { copy[index] = UInt8(ascii: "-") }
    return of(copy.span.bytes, ByteRange(start: 0, end: copy.count))
  }

  /// A request's own field of this name does not reach the instance.
  var staysBehindInRequest: Bool {
    switch self {
    case .other, .accept, .authorization, .cookie, .date, .expect, .trailer, .contentLength: false
    default: true
    }
  }

  /// A response's field of this name does not reach the client.
  var staysBehindInResponse: Bool {
    switch self {
    case .connection, .keepAlive, .proxyConnection, .te, .transferEncoding, .upgrade, .http2Settings,
      .proxyAuthenticate, .proxyAuthorization, .contentLength:
      true
    default: false
    }
  }

  /// A trailer of this name is dropped: trailers may not change how a message is framed, routed, authenticated, read or
  /// kept (RFC 9110 section 6.5.1).
  static func isForbiddenInTrailer(_ bytes: RawSpan, _ name: ByteRange) -> Bool {
    let lower = bytes.text(name).lowercased().replacing("_", with: "-")
    let known = FieldName.ofUnderscored(bytes, name)
    if known != .other && known != .date { return true }
    return forbiddenInTrailer.contains(lower) || lower.hasPrefix("if-") || lower.hasPrefix("content-")
  }

  private static let forbiddenInTrailer: Set<String> = [
    "cache-control", "max-forwards", "pragma", "range", "set-cookie", "www-authenticate", "age", "expires", "location",
    "retry-after", "vary", "warning", "accept-encoding", "accept-language", "accept-ranges",
  ]
}
