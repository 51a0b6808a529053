/// Where a server listens.
public enum ServerAddress: Sendable, Equatable, CustomStringConvertible {
  /// A unix socket: the control socket, or the receiver's or router's.
  case unix(path: String)
  /// `http://HOST:PORT` or `https://HOST[:PORT]`, without a slash at the end.
  case url(String)

  /// Reads `unix:PATH`, an absolute path, `http://…` or `https://…`, as `--host` and `PAAS_HOST` hold them.
  public init(parsing text: String) throws(ClientError) {
    if text.hasPrefix("unix:"), text.count > 5 {
      self = .unix(path: String(text.dropFirst(5)))
    } else if text.hasPrefix("/") {
      self = .unix(path: text)
    } else if text.hasPrefix("http://") || text.hasPrefix("https://") {
      self = .url(String(text.reversed().drop { $0 == "/" }.reversed()))
    } else {
      throw .badAddress(text)
    }
  }

  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .url(let url): url
    }
  }

  /// The URL of a path on this server; AsyncHTTPClient takes `http+unix://SOCKET/PATH`.
  func url(of path: String) -> String {
    switch self {
    case .unix(let socket): "http+unix://\(percentEncoded(socket))\(path)"
    case .url(let base): base + path
    }
  }
}

/// Text as one part of a path or a query: everything but letters, digits and `-._~` is escaped (RFC 3986 section 2.3).
public func percentEncoded(_ text: String) -> String {
  let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~".utf8)
  var result = ""
  for byte in text.utf8 {
    if plain.contains(byte) {
      result.unicodeScalars.append(Unicode.Scalar(byte))
    } else {
      result += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
    }
  }
  return result
}
