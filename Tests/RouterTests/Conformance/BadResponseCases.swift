private func status(_ line: String, _ name: String, _ rule: String = "9112 4") -> WireCase {
  .bad(name, rule, reply: "\(line)\r\nContent-Length: 2\r\n\r\nok")
}

private func field(_ line: String, _ name: String, _ rule: String = "9112 5") -> WireCase {
  .bad(name, rule, reply: "HTTP/1.1 200 OK\r\n\(line)\r\nContent-Length: 2\r\n\r\nok")
}

private func framed(_ fields: String, _ name: String, _ rule: String = "9112 6.3") -> WireCase {
  .bad(name, rule, reply: "HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n2\r\nok\r\n0\r\n\r\n")
}

/// Either mended or refused, as the RFC leaves open; but never sent on as it is.
private func mended(_ line: String, _ name: String, _ rule: String, hides: String) -> WireCase {
  .answered(
    name, rule, reply: "HTTP/1.1 200 OK\r\n\(line)\r\nContent-Length: 2\r\n\r\nok", [200, 503], Looks(hides: [hides]),
    then: .either)
}

/// Answers that are wrong before their head is through: 503 with H17, or H13 where there was none.
let badResponseCases: [WireCase] = [
  status("SSH-2.0-OpenSSH_9.2", "a greeting of SSH"),
  status("HTTP/1.1 2x0 OK", "a status with a letter"),
  status("HTTP/1.1 20 OK", "a status of two digits"),
  status("HTTP/1.1 2000 OK", "a status of four digits"),
  status("HTTP/1.1 099 X", "a status below 100", "9110 15"),
  status("HTTP/1.1 000 X", "a status of zeros", "9110 15"),
  status("HTTP/1.1  200 OK", "two spaces before the status"),
  status("HTTP/1.1 -20 OK", "a status below zero"),
  status("HTTP/1.1", "no status"),
  status("HTTP/2.0 200 OK", "an answer of HTTP/2.0", "9112 2.3"),
  status("HTTP/0.9 200 OK", "an answer of HTTP/0.9", "9112 2.3"),
  status("http/1.1 200 OK", "an answer's version in small letters", "9112 2.3"),
  status("HTTP/1.x 200 OK", "an answer's version of letters", "9112 2.3"),
  status("200 OK", "an answer without version"),
  status("HTTP/1.1 200 O\u{00}K", "a NUL in the reason"),
  status("HTTP/1.1 200 O\rK", "a CR in the reason", "9112 2.2"),
  .bad("an answer whose lines end with LF alone", "9112 2.2", reply: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
  .bad("junk for an answer", "9112 4", reply: "\u{16}\u{03}\u{03}\u{00}\u{4A}\r\n\r\n"),
  .bad("an HTML page for an answer", "9112 4", reply: "<html>hello</html>\r\n\r\n", ending: .closes),
  .bad("a request for an answer", "9112 4", reply: "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
  field("X-A", "an answer's line without colon"),
  field(": v", "an answer's field without name"),
  field("X A: v", "a space in the name of an answer's field"),
  field("X-A: v\nX-B: w", "an LF alone in an answer's head", "9112 2.2"),
  field("X-A: a\u{00}b", "a NUL in the value of an answer's field", "9110 5.5"),
  field("X\u{00}A: b", "a NUL in the name of an answer's field", "9110 5.1"),
  field("X-A: a\rX-B: b", "a CR in the value of an answer's field", "9110 5.5"),
  field("X-A: \(String(repeating: "v", count: 300_000))", "an answer's field of 300 kB", "9110 5.4"),
  mended("X-A : v", "a space before the colon of an answer's field", "9112 5.1", hides: "X-A :"),
  mended("X-A: v\r\n w", "a folded field of an answer", "9112 5.2", hides: "\r\n w"),
  framed("Content-Length: 12\r\nTransfer-Encoding: chunked", "an answer with length and chunked", "9112 6.1"),
  framed("Transfer-Encoding: chunked\r\nContent-Length: 12", "an answer with chunked and length", "9112 6.1"),
  framed("Transfer-Encoding: gzip, chunked", "an answer's coding that the router does not know", "9112 6.1"),
  framed("Transfer-Encoding: gzip", "an answer's coding that does not end with chunked"),
  framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "an answer that is chunked twice", "9112 7.1"),
  framed("Transfer-Encoding: xchunked", "an answer's coding that ends like chunked"),
  framed("Content-Length: 12\r\nContent-Length: 2", "an answer's lengths that differ"),
  framed("Content-Length: 12, 2", "a list of an answer's lengths"),
  framed("Content-Length: -12", "an answer's length below zero"),
  framed("Content-Length: +12", "an answer's length with a plus"),
  framed("Content-Length: 0x2", "an answer's length in hexadecimal"),
  framed("Content-Length: 1 2", "an answer's length with a space"),
  framed("Content-Length: twelve", "an answer's length in letters"),
  framed("Content-Length:", "an answer's empty length"),
  framed("Content-Length: 18446744073709551628", "an answer's length of 2^64 + 12"),
  .bad(
    "101 that nobody asked for", "9110 15.2.2",
    reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
  .bad("no answer at all", "9112 9.5", reply: "", ending: .closes, code: "H13"),
  .bad("a reset for an answer", "9112 9.5", reply: "", ending: .resets, code: "H13"),
  .bad("an answer that ends in its status line", "9112 8", reply: "HTTP/1.1 20", ending: .closes, code: "H1"),
  .bad(
    "an answer that ends in its head", "9112 8", reply: "HTTP/1.1 200 OK\r\nContent-Le", ending: .closes, code: "H1"),
  .bad(
    "an interim answer, and then none", "9112 9.5", reply: "HTTP/1.1 103 X\r\n\r\n", ending: .closes, code: "H1"),
]
