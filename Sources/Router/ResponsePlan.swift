import NIOHTTP1

/// The instance's answer is not HTTP that can be passed on: H17.
struct BadResponse: Error, Equatable {}

/// What will be done with one response: how it is framed to the client, and what becomes of both connections.
struct ResponsePlan: Sendable {
  /// How a client that is cut off would know that something is missing.
  enum Ending: Sendable, Equatable {
    /// By length, or there is no body at all.
    case counted
    case chunked
    /// By the connection's end (HTTP/1.0 clients): only a reset shows that it is not the end.
    case close
  }

  let head: HTTPResponseHead
  let ending: Ending
  let closesClient: Bool
  /// After its end, the instance takes another request on the same connection.
  let keepsUpstream: Bool

  /// `mustClose`: the client connection cannot go on for other reasons, such as a request that is still coming.
  init(_ response: HTTPResponseHead, to request: RequestPlan, mustClose: Bool) throws(BadResponse) {
    let codings = response.headers["transfer-encoding"]
    let lengths = response.headers["content-length"]
    guard codings.isEmpty || (codings.count == 1 && codings[0].lowercased() == "chunked"), lengths.count <= 1,
      response.status.code >= 200
    else { throw BadResponse() }
    let isEmpty = request.head.method == .HEAD || response.status.code == 204 || response.status.code == 304
    let isFramed = isEmpty || !codings.isEmpty || !lengths.isEmpty
    var headers = HeaderRules.forwardedResponse(response.headers)
    if response.status.code == 204 { headers.remove(name: "content-length") }
    if isEmpty || (!lengths.isEmpty && codings.isEmpty) {
      ending = .counted
    } else if request.isOldClient {
      headers.remove(name: "content-length")
      ending = .close
    } else {
      headers.remove(name: "content-length")
      headers.add(name: "Transfer-Encoding", value: "chunked")
      ending = .chunked
    }
    closesClient = mustClose || !request.keepAlive || ending == .close
    if closesClient {
      headers.add(name: "Connection", value: "close")
    } else if request.isOldClient {
      headers.add(name: "Connection", value: "keep-alive")
    }
    headers.add(name: "Via", value: "1.\(response.version.minor) paas")
    keepsUpstream = response.isKeepAlive && isFramed
    head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
  }
}
