private func whole(_ name: String, _ rule: String, _ body: String, _ text: String) -> WireCase {
  .passed(name, rule, chunked(body), Looks(body: text, framing: .chunked))
}

/// Chunks that are right (RFC 9112 section 7.1), and what is behind them.
let chunkCases: [WireCase] = [
  whole("an empty chunked body", "9112 7.1", "0\r\n\r\n", ""),
  whole("three chunks", "9112 7.1", "3\r\nabc\r\n1\r\nd\r\n2\r\nef\r\n0\r\n\r\n", "abcdef"),
  whole("sizes in capitals", "9112 7.1", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
  whole("sizes in small letters", "9112 7.1", "b\r\n0123456789a\r\n0\r\n\r\n", "0123456789a"),
  whole("sizes with leading zeros", "9112 7.1", "0003\r\nabc\r\n0000\r\n\r\n", "abc"),
  whole("data that looks like the end", "9112 7.1", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
  whole(
    "data of every kind of byte", "9112 7.1", "6\r\n\u{00}\r\n\u{FF}\u{80}\u{7F}\r\n0\r\n\r\n",
    "\u{00}\r\n\u{FF}\u{80}\u{7F}"),
  whole(
    "a chunk larger than a buffer", "9112 7.1",
    "186A0\r\n\(String(repeating: "x", count: 100_000))\r\n0\r\n\r\n", String(repeating: "x", count: 100_000)),
  whole(
    "two thousand chunks of one byte", "9112 7.1", String(repeating: "1\r\ny\r\n", count: 2000) + "0\r\n\r\n",
    String(repeating: "y", count: 2000)),
  .passed(
    "a trailer that was declared goes on", "9110 6.5", chunked("1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n", "Trailer: X-Sum\r\n"),
    Looks(lacks: ["x-sum"], body: "a", trailers: ["X-Sum: 7"])),
  .passed(
    "a trailer that was not declared goes on, as the declaration is only a hint", "9110 6.6.2",
    chunked("1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n"), Looks(lacks: ["x-sum"], body: "a", trailers: ["X-Sum: 7"])),
  .passed(
    "trailers that frame, route, authenticate or condition stay behind", "9110 6.5.1",
    chunked(
      "1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\nHost: evil\r\nAuthorization: Basic eDp5\r\n"
        + "Cookie: a=b\r\nConnection: close\r\nExpect: 100-continue\r\nTE: trailers\r\nUpgrade: h2c\r\n"
        + "Trailer: X\r\nContent-Type: a/b\r\nContent-Encoding: gzip\r\nCache-Control: no-store\r\n\r\n"),
    Looks(lacks: ["authorization", "cookie"], body: "a", trailers: [])),
  .passed(
    "trailers that only the router says stay behind", "9110 6.5.1",
    chunked(
      "1\r\na\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 6.6.6.6\r\n"
        + "Forwarded: for=6.6.6.6\r\nX-Request-Id: aaaaaaaaaaaaaaaaaaaaaaaa\r\nX-Real-IP: 6.6.6.6\r\nVia: 1.1 evil\r\n"
        + "Proxy: evil\r\n\r\n"),
    Looks(hides: ["6.6.6.6", "evil"], body: "a", trailers: [])),
  .passed(
    "of good and bad trailers the good ones go on", "9110 6.5.1",
    chunked("0\r\nContent-Length: 9\r\nX-A: 1\r\nHost: evil\r\n\r\n"), Looks(body: "", trailers: ["X-A: 1"])),
]
