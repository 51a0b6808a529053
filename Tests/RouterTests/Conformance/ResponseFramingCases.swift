private let get10 = get(version: "1.0")

private func chunks(_ body: String, _ fields: String = "") -> String {
  "HTTP/1.1 200 OK\r\n\(fields)Transfer-Encoding: chunked\r\n\r\n\(body)"
}

private func chunk(_ body: String, _ name: String, _ rule: String = "9112 7.1") -> WireCase {
  .answered(name, rule, reply: chunks(body), [200], then: .cut)
}

/// Where an answer ends, and how it looks when it does not (RFC 9112 sections 6.3, 7 and 8).
let responseFramingCases: [WireCase] = [
  .answered(
    "chunks stay chunks", "9112 7.1", reply: chunks("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), [200],
    Looks(lacks: ["content-length"], body: "abcde", framing: .chunked)),
  .answered(
    "CHUNKED in capitals", "9112 7",
    reply: "HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n2\r\nok\r\n0\r\n\r\n", [200], Looks(body: "ok")),
  .answered(
    "an empty chunked answer", "9112 7.1", reply: chunks("0\r\n\r\n"), [200], Looks(body: "", framing: .chunked)),
  .answered(
    "a chunk of 100 kB", "9112 7.1", reply: chunks("186A0\r\n\(String(repeating: "z", count: 100_000))\r\n0\r\n\r\n"),
    [200], Looks(body: String(repeating: "z", count: 100_000))),
  .answered(
    "trailers go on to who asked for them", "9110 6.5.1", to: get("TE: trailers\r\nConnection: TE\r\n"),
    reply: chunks("2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n", "Trailer: X-Sum\r\n"), [200],
    Looks(body: "ok", trailers: ["X-Sum: 1"])),
  .answered(
    "trailers that frame or authenticate stay behind", "9110 6.5.1", to: get("TE: trailers\r\nConnection: TE\r\n"),
    reply: chunks(
      "2\r\nok\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a=b\r\nTransfer-Encoding: x\r\nConnection: x\r\n\r\n"),
    [200], Looks(body: "ok", trailers: [])),
  .answered(
    "an HTTP/1.0 client gets no chunks", "9112 6.1", to: get10,
    reply: chunks("3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n"), [200],
    Looks(lacks: ["transfer-encoding", "content-length", "x-sum"], body: "abcde", framing: .close), then: .closes),
  .answered(
    "an HTTP/1.0 client that would keep the connection gets no chunks either", "9112 6.1",
    to: get("Connection: keep-alive\r\n", version: "1.0"), reply: chunks("2\r\nok\r\n0\r\n\r\n"), [200],
    Looks(lacks: ["transfer-encoding"], body: "ok"), then: .closes),
  .answered(
    "a body that ends with the instance's connection becomes chunks", "9112 6.3",
    reply: "HTTP/1.1 200 OK\r\n\r\nall of it", ending: .closes, [200], Looks(body: "all of it", framing: .chunked)),
  .answered(
    "a body that ends with an HTTP/1.0 instance's connection becomes chunks", "9112 6.3",
    reply: "HTTP/1.0 200 OK\r\n\r\nall of it", ending: .closes, [200],
    Looks(line: "HTTP/1.1 200 OK", body: "all of it", framing: .chunked)),
  .answered(
    "an empty body that ends with the instance's connection", "9112 6.3", reply: "HTTP/1.1 200 OK\r\nX: 1\r\n\r\n",
    ending: .closes, [200], Looks(body: "")),
  .answered(
    "a body that ends with the connection, for HTTP/1.0", "9112 6.3", to: get10,
    reply: "HTTP/1.1 200 OK\r\n\r\nall of it", ending: .closes, [200],
    Looks(lacks: ["transfer-encoding", "content-length"], body: "all of it", framing: .close), then: .closes),
  .answered(
    "a length for HTTP/1.0", "9112 6.2", to: get10, reply: WireCase.ok, [200],
    Looks(has: ["Content-Length: 2"], body: "ok"), then: .closes),
  .answered(
    "two lengths that agree are one, or none", "9112 6.3",
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", [200, 503], then: .either),
  .answered(
    "chunked from an HTTP/1.0 instance is faulty", "9112 6.1",
    reply: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", ending: .closes, [200, 503],
    then: .either),
  .answered(
    "a chunk extension ends at the router, or the answer does", "9112 7.1.1",
    reply: chunks("2\r\nok\r\n0\r\n\r\n"), [200], Looks(body: "ok")),

  .answered(
    "an early end of a body with a length", "9112 8", reply: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    ending: .closes, [200], then: .cut),
  .answered(
    "an early end before a body with a length", "9112 8", reply: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    ending: .closes, [200], then: .cut),
  .answered(
    "an early end of a body with a length, for HTTP/1.0", "9112 8", to: get10,
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", ending: .closes, [200], then: .cut),
  .answered(
    "a reset in a body with a length", "9112 8", reply: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    ending: .resets, [200], then: .cut),
  .answered(
    "a reset in a body that ends with the connection", "9112 8", reply: "HTTP/1.1 200 OK\r\n\r\nhalf",
    ending: .resets, [200], then: .cut),
  .answered("an early end of a chunk", "9112 8", reply: chunks("8\r\nhalf"), ending: .closes, [200], then: .cut),
  .answered(
    "an early end between chunks", "9112 8", reply: chunks("4\r\nhalf\r\n"), ending: .closes, [200], then: .cut),
  .answered(
    "an early end behind the last size", "9112 8", reply: chunks("4\r\nhalf\r\n0\r\n"), ending: .closes, [200],
    then: .cut),
  .answered(
    "an early end in a trailer", "9112 8", reply: chunks("4\r\nhalf\r\n0\r\nX-Su"), ending: .closes, [200], then: .cut),
  .answered(
    "an early end of chunks for HTTP/1.0 is a reset", "9112 8", to: get10, reply: chunks("4\r\nhalf\r\n"),
    ending: .closes, [200], then: .cut),
  chunk("2\r\nok\r\nxyz\r\nmore\r\n0\r\n\r\n", "a size of letters from the instance"),
  chunk("2\r\nok\r\n-2\r\nok\r\n0\r\n\r\n", "a size below zero from the instance"),
  chunk("2\r\nok\r\n0x2\r\nok\r\n0\r\n\r\n", "a size with 0x from the instance"),
  chunk("2\r\nok\r\n10000000000000002\r\nok\r\n0\r\n\r\n", "a size of 2^64 + 2 from the instance"),
  chunk("2\r\nok\r\n2\r\nokXX0\r\n\r\n", "no line end behind data from the instance"),
  chunk("2\r\nok\r\n2\r\nok\n0\r\n\r\n", "LF alone behind data from the instance"),
  chunk("2\r\nok\r\n\r\n0\r\n\r\n", "an empty size from the instance"),
]
