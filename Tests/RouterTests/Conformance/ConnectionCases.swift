private func old(_ name: String, _ fields: String, then: WireCase.Then, answer: Looks = Looks()) -> WireCase {
  .passed(name, "9112 9.3", get(fields, version: "1.0"), answer: answer, then: then)
}

private let close = Looks(has: ["Connection: close"])

/// When a connection goes on and when it ends (RFC 9112 section 9).
let connectionCases: [WireCase] = [
  .passed("HTTP/1.1 goes on", "9112 9.3", get(), answer: Looks(hides: ["close"])),
  .passed("HTTP/1.1 with keep-alive goes on", "9112 9.3", get("Connection: keep-alive\r\n")),
  .passed(
    "Connection: close ends it, and what is behind is ignored", "9112 9.6", get("Connection: close\r\n"),
    Looks(lacks: ["connection"]), answer: close, then: .closes),
  .passed("CLOSE in capitals", "9110 7.6.1", get("Connection: CLOSE\r\n"), answer: close, then: .closes),
  .passed("close in a list", "9110 7.6.1", get("Connection: x , close\r\n"), answer: close, then: .closes),
  .passed(
    "close in a list of empty members", "9110 5.6.1", get("Connection: ,,close,\r\n"), answer: close, then: .closes),
  .passed(
    "close in the second of two fields", "9110 7.6.1", get("Connection: x\r\nConnection: close\r\n"), answer: close,
    then: .closes),
  .passed(
    "close wins over keep-alive", "9112 9.3", get("Connection: keep-alive, close\r\n"), answer: close, then: .closes),
  .passed("closed is not close", "9110 7.6.1", get("Connection: closed\r\n"), answer: Looks(hides: ["close"])),
  .passed("x-close is not close", "9110 7.6.1", get("Connection: x-close\r\n")),
  .passed(
    "close behind a body", "9112 9.6", post("Connection: close\r\nContent-Length: 2\r\n", "hi"), Looks(body: "hi"),
    answer: close, then: .closes),
  old("HTTP/1.0 ends", "", then: .closes),
  old("HTTP/1.0 with close ends", "Connection: close\r\n", then: .closes),
  old(
    "HTTP/1.0 with keep-alive goes on, and is told so", "Connection: keep-alive\r\n", then: .goesOn,
    answer: Looks(has: ["Connection: keep-alive"])),
  old(
    "HTTP/1.0 with Keep-Alive in capitals goes on", "Connection: Keep-Alive\r\n", then: .goesOn,
    answer: Looks(once: ["connection"])),
  old("HTTP/1.0 with keep-alive and close ends", "Connection: keep-alive, close\r\n", then: .closes),
  old("HTTP/1.0 with Proxy-Connection ends", "Proxy-Connection: keep-alive\r\n", then: .closes),
  old("HTTP/1.0 with the field Keep-Alive alone ends", "Keep-Alive: timeout=5\r\n", then: .closes),
  .passed(
    "HTTP/1.0 with keep-alive and a body", "9112 9.3",
    post("Connection: keep-alive\r\nContent-Length: 2\r\n", "hi", version: "1.0"), Looks(body: "hi")),
  WireCase(
    name: "a client that ended its output behind its request gets the answer", rule: "9112 9.6", request: get(),
    answer: Looks(body: "ok"), halfCloses: true),
  WireCase(
    name: "a client that ended its output behind its body gets the answer", rule: "9112 9.6",
    request: post("Content-Length: 2\r\n", "hi"), answer: Looks(body: "ok"), sent: .one(Looks(body: "hi")),
    halfCloses: true),
  WireCase(
    name: "a client that ended its output behind its chunks gets the answer", rule: "9112 9.6",
    request: chunked("2\r\nhi\r\n0\r\n\r\n"), answer: Looks(body: "ok"), sent: .one(Looks(body: "hi")),
    halfCloses: true),
  WireCase(
    name: "half-closed behind an HTTP/1.0 request", rule: "9112 9.6", request: get(version: "1.0"),
    answer: Looks(body: "ok"), then: .closes, halfCloses: true),
  .answered(
    "the instance's close is not the client's", "9110 7.6.1",
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", ending: .closes, [200],
    Looks(hides: ["close"], body: "ok")),
  .answered(
    "an instance that says close and stays", "9112 9.6",
    reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", [200],
    Looks(hides: ["close"], body: "ok")),
  .answered(
    "an instance that closes without a word", "9112 9.5", reply: WireCase.ok, ending: .closes, [200],
    Looks(body: "ok")),
  .answered(
    "an HTTP/1.0 instance's connection is not used again, the client's goes on", "9112 9.3",
    reply: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", ending: .closes, [200],
    Looks(line: "HTTP/1.1 200 OK", body: "ok")),
  .passed(
    "an upgrade without Connection is no upgrade", "9110 7.8", get("Upgrade: websocket\r\n"),
    Looks(lacks: ["upgrade", "connection"])),
  .passed(
    "Connection: upgrade without Upgrade is no upgrade", "9110 7.8", get("Connection: upgrade\r\n"),
    Looks(lacks: ["upgrade", "connection"]), then: .either),
  .passed(
    "an upgrade from HTTP/1.0 is none", "9110 7.8",
    get("Connection: upgrade\r\nUpgrade: websocket\r\n", version: "1.0"), Looks(lacks: ["upgrade", "connection"]),
    then: .closes),
  .passed(
    "h2c is not sent on, nor what belongs to it", "9110 7.8",
    get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"),
    Looks(lacks: ["upgrade", "http2-settings", "connection"]), then: .either),
  .passed(
    "h2c in a list is not sent on", "9110 7.8", get("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n"),
    Looks(hides: ["h2c"]), then: .either),
  .passed(
    "an upgrade with a body is a request", "9110 7.8",
    post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n", "hi"), Looks(body: "hi"), then: .either),
]
