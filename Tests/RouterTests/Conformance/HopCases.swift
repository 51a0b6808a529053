private func gone(_ name: String, _ rule: String, _ fields: String, _ names: [String]) -> WireCase {
  .passed(name, rule, get(fields), Looks(has: ["X-Stays: 1"], lacks: names + ["connection"]))
}

/// Fields that are for one connection only stay behind, in both directions (RFC 9110 section 7.6.1).
let hopCases: [WireCase] = [
  gone("a field that Connection names", "9110 7.6.1", "Connection: X-Hop\r\nX-Hop: 1\r\nX-Stays: 1\r\n", ["x-hop"]),
  gone(
    "a field before the Connection that names it", "9110 7.6.1", "X-Hop: 1\r\nX-Stays: 1\r\nConnection: X-Hop\r\n",
    ["x-hop"]),
  gone(
    "two fields that two Connections name in other cases", "9110 7.6.1",
    "Connection: x-hop , keep-alive\r\nConnection: X-LIMP\r\nX-Hop: 1\r\nX-Stays: 1\r\nX-Limp: 2\r\nx-limp: 3\r\n",
    ["x-hop", "x-limp"]),
  gone(
    "only whole names count", "9110 7.6.1", "Connection: X-Stay, X-Stays2, Stays\r\nX-Stays: 1\r\n", ["x-stay"]),
  gone(
    "fifty names in Connection", "9110 7.6.1",
    "Connection: \((0..<50).map { "X-\($0)" }.joined(separator: ", "))\r\nX-Stays: 1\r\nX-49: x\r\nX-0: x\r\n",
    ["x-0", "x-49"]),
  .refused(
    "more names in Connection than anybody needs", "9110 7.6.1",
    get(
      "Connection: \((0..<40).map { "X-\($0)" }.joined(separator: ", "))\r\nConnection: \(String(repeating: "a,", count: 25))a\r\n"
    )),
  .bad(
    "more names in an answer's Connection than anybody needs", "9110 7.6.1",
    reply: "HTTP/1.1 200 OK\r\nConnection: \(String(repeating: "a,", count: 65))a\r\nContent-Length: 2\r\n\r\nok"),
  gone("Keep-Alive", "9110 7.6.1", "Keep-Alive: timeout=5\r\nX-Stays: 1\r\n", ["keep-alive"]),
  gone("Proxy-Connection", "9110 7.6.1", "Proxy-Connection: keep-alive\r\nX-Stays: 1\r\n", ["proxy-connection"]),
  gone(
    "Proxy-Authorization", "9110 11.7.1", "Proxy-Authorization: Basic eDp5\r\nX-Stays: 1\r\n", ["proxy-authorization"]),
  gone("TE", "9110 10.1.4", "TE: gzip\r\nConnection: TE\r\nX-Stays: 1\r\n", ["te"]),
  gone("Upgrade that Connection does not name", "9110 7.8", "Upgrade: HTTP/3.0\r\nX-Stays: 1\r\n", ["upgrade"]),
  gone("Proxy, which CGI would call HTTP_PROXY", "9110 7.6.1", "Proxy: http://evil\r\nX-Stays: 1\r\n", ["proxy"]),
  .passed(
    "Connection cannot take Host away", "9110 7.6.1", get("Connection: Host\r\n"), Looks(has: ["Host: {host}"])),
  .passed(
    "Connection cannot take the length away", "9110 7.6.1",
    post("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello"), Looks(body: "hello", framing: .length)),
  .passed(
    "Connection cannot take the coding away", "9110 7.6.1",
    post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    Looks(body: "hello", framing: .chunked)),
  .passed(
    "Connection cannot take away what the router adds", "9110 7.6.1",
    get("Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Port, X-Request-Id, X-Request-Start, Via\r\n"),
    Looks(
      has: ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "Via: 1.1 paas"],
      once: ["x-forwarded-port", "x-request-id", "x-request-start"])),
  .passed(
    "Connection cannot take the content's type away", "9110 7.6.1",
    post("Connection: Content-Type\r\nContent-Type: a/b\r\nContent-Length: 1\r\n", "x"),
    Looks(has: ["Content-Type: a/b"])),
  .answered(
    "a field that the instance's Connection names", "9110 7.6.1",
    reply: "HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: x-hop\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok", [200],
    Looks(has: ["X-Stays: 1"], lacks: ["x-hop", "connection"])),
  .answered(
    "the instance's hop-by-hop fields", "9110 7.6.1",
    reply: "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nTE: x\r\n"
      + "Proxy-Authenticate: Basic\r\nX-Stays: 1\r\nContent-Length: 2\r\n\r\nok", [200],
    Looks(
      has: ["X-Stays: 1"],
      lacks: ["keep-alive", "proxy-connection", "upgrade", "te", "proxy-authenticate", "connection"])),
  .answered(
    "the instance's Connection cannot take the length away", "9110 7.6.1",
    reply: "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nok", [200], Looks(body: "ok")),
  .answered(
    "the instance's Connection cannot take the coding away", "9110 7.6.1",
    reply: "HTTP/1.1 200 OK\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    [200], Looks(body: "ok")),
  .answered(
    "Via is added to the answer, behind those before", "9110 7.6.3",
    reply: "HTTP/1.1 200 OK\r\nVia: 1.0 fred\r\nContent-Length: 2\r\n\r\nok", [200],
    Looks(joined: ["Via: 1.0 fred, 1.1 paas"])),
  WireCase(
    name: "Via is added to the request, behind those before", rule: "9110 7.6.3",
    request: get("Via: 1.0 fred, 1.1 p\r\n"),
    sent: .one(Looks(joined: ["Via: 1.0 fred, 1.1 p, 1.1 paas"]))),
  .passed(
    "two Via keep their order before the router's", "9110 7.6.3", get("Via: 1.0 a\r\nVia: 1.1 b\r\n"),
    Looks(joined: ["Via: 1.0 a, 1.1 b, 1.1 paas"])),
  .passed(
    "Via says what the client spoke", "9110 7.6.3", get(version: "1.0"), Looks(has: ["Via: 1.0 paas"]), then: .closes),
]
