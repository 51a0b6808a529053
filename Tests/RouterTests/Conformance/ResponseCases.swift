private func reply(_ fields: String, _ body: String = "ok") -> String {
  "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
}

private func get10(_ fields: String = "") -> String { get(fields, version: "1.0") }

/// Answers that are right: status, fields, and answers without content (RFC 9110 sections 6, 9 and 15).
let responseCases: [WireCase] = [
  .answered(
    "an answer", "9112 4", reply: reply("Content-Type: text/plain\r\nETag: \"x\"\r\n"), [200],
    Looks(line: "HTTP/1.1 200 OK", has: ["Content-Type: text/plain", "ETag: \"x\"", "Content-Length: 2"], body: "ok")),
  .answered(
    "a reason of the instance's own", "9112 4", reply: "HTTP/1.1 299 Quite (all) Right!\r\nContent-Length: 0\r\n\r\n",
    [299], Looks(line: "HTTP/1.1 299 Quite (all) Right!")),
  .answered(
    "an empty reason", "9112 4", reply: "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", [200], Looks(body: "ok")),
  .answered(
    "Latin-1 in a reason", "9112 4", reply: "HTTP/1.1 200 D\u{E9}j\u{E0}\r\nContent-Length: 2\r\n\r\nok", [200],
    Looks(body: "ok")),
  .answered(
    "a status that nobody knows", "9110 15", reply: "HTTP/1.1 599 X\r\nContent-Length: 2\r\n\r\nok", [599],
    Looks(body: "ok")),
  .answered(
    "cookies stay apart and in order", "9110 5.3",
    reply: reply("Set-Cookie: a=1, b\r\nX: 1\r\nSet-Cookie: c=2; Expires=Mon, 01 Jan 2030\r\nset-cookie: d\r\n"), [200],
    Looks(list: ["Set-Cookie: a=1, b", "Set-Cookie: c=2; Expires=Mon, 01 Jan 2030", "Set-Cookie: d"])),
  .answered(
    "an answer's X-Request-Id, Server and Date are the instance's own", "9110 7.7",
    reply: reply("Server: mine\r\nDate: Mon, 01 Jan 2030 00:00:00 GMT\r\n"), [200],
    Looks(has: ["Server: mine", "Date: Mon, 01 Jan 2030 00:00:00 GMT"])),
  .answered(
    "bytes above 127 in a value", "9110 5.5", reply: reply("X-A: \u{E9}\u{FF}\r\n"), [200],
    Looks(has: ["X-A: \u{E9}\u{FF}"])),
  .answered("an empty value", "9110 5.5", reply: reply("X-A:\r\n"), [200], Looks(has: ["X-A:"], body: "ok")),
  .answered(
    "content encodings are not the router's business", "9110 8.4", reply: reply("Content-Encoding: gzip\r\n"), [200],
    Looks(has: ["Content-Encoding: gzip"])),
  .answered(
    "a head of 16 kB", "9110 5.4", reply: reply("X-A: \(String(repeating: "v", count: 16_000))\r\n"), [200],
    Looks(once: ["x-a"], body: "ok")),
  .answered(
    "206 with its range", "9110 15.3.7",
    reply: "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok", [206],
    Looks(has: ["Content-Range: bytes 0-1/9"], body: "ok")),

  .answered(
    "HEAD with a length has no content", "9110 9.3.2", to: get(method: "HEAD"),
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", [200], Looks(has: ["Content-Length: 5000"], body: "")),
  .answered(
    "HEAD with chunked has no content", "9110 9.3.2", to: get(method: "HEAD"),
    reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", [200], Looks(body: "")),
  .answered(
    "HEAD with neither has no content", "9110 9.3.2", to: get(method: "HEAD"), reply: "HTTP/1.1 200 OK\r\nX: 1\r\n\r\n",
    [200], Looks(has: ["X: 1"], body: "")),
  .answered(
    "HEAD with content all the same", "9110 9.3.2", to: get(method: "HEAD"),
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", [200], Looks(body: "")),
  .answered(
    "HEAD from HTTP/1.0", "9110 9.3.2", to: get(method: "HEAD", version: "1.0"),
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", [200], Looks(has: ["Content-Length: 5000"]), then: .closes
  ),
  .answered(
    "204 has no content", "9110 15.3.5", reply: "HTTP/1.1 204 No Content\r\n\r\n", [204],
    Looks(lacks: ["content-length", "transfer-encoding"], body: "")),
  .answered(
    "204 has no length", "9110 8.6", reply: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", [204],
    Looks(lacks: ["content-length"])),
  .answered(
    "304 keeps its length and has no content", "9110 8.6",
    reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: x\r\n\r\n", [304],
    Looks(has: ["ETag: x"], body: "")),
  .answered(
    "304 with neither", "9110 15.4.5", reply: "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", [304],
    Looks(lacks: ["transfer-encoding"], body: "")),
  .answered(
    "204 with content all the same, which is nobody's answer", "9112 6.3",
    reply: "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", [204], Looks(body: "")),
  .answered(
    "304 with content all the same, which is nobody's answer", "9112 6.3",
    reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil", [304], Looks(body: "")),
  .answered(
    "two answers to one request: the second is nobody's", "9112 9.3",
    reply: reply("", "ok") + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", [200], Looks(body: "ok")),
  .answered(
    "bytes behind an answer are nobody's", "9112 6.3", reply: reply("") + "evil", [200], Looks(body: "ok")),
  .answered(
    "bytes behind the last chunk are nobody's", "9112 6.3",
    reply: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
      + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", [200], Looks(body: "ok")),

  .answered(
    "103 goes on before the answer", "9110 15.2",
    reply: "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + reply(""), [200], Looks(body: "ok"),
    interim: [103]),
  .answered(
    "three interim answers go on in order", "9110 15.2",
    reply: "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 A\r\n\r\nHTTP/1.1 103 B\r\n\r\n" + reply(""), [200],
    Looks(body: "ok"), interim: [102, 103, 103]),
  .answered(
    "interim answers are not for HTTP/1.0", "9110 15.2", to: get10(),
    reply: "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + reply(""), [200], Looks(body: "ok"),
    interim: [], then: .closes),
  .answered(
    "100 that nobody waits for", "9110 15.2.1", reply: "HTTP/1.1 100 Continue\r\n\r\n" + reply(""), [200],
    Looks(body: "ok")),
  .answered(
    "103 before HEAD's answer", "9110 15.2", to: get(method: "HEAD"),
    reply: "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", [200], Looks(body: ""), interim: [103]),
]
