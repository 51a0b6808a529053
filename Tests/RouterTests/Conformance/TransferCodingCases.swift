private let body = "5\r\nhello\r\n0\r\n\r\n"

private func coding(_ value: String, _ name: String, _ rule: String = "9112 6.1") -> WireCase {
  .refused(name, rule, post("Transfer-Encoding: \(value)\r\n", body))
}

/// `chunked`, once and alone, is the only transfer coding of a request.
let transferCodingCases: [WireCase] = [
  .passed(
    "chunked", "9112 7.1", post("Transfer-Encoding: chunked\r\n", body),
    Looks(lacks: ["content-length"], body: "hello", framing: .chunked)),
  .passed(
    "CHUNKED in capitals", "9112 7", post("Transfer-Encoding: CHUNKED\r\n", body),
    Looks(has: ["Transfer-Encoding: chunked"], body: "hello")),
  .passed(
    "Chunked with spaces around", "9110 5.5", post("transfer-encoding: \t Chunked \t\r\n", body), Looks(body: "hello")),
  .passed(
    "GET may be chunked", "9110 9.3.1", "GET / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n\(body)",
    Looks(body: "hello")),
  .passed(
    "Transfer_Encoding is not a coding", "9110 5.1", get("Transfer_Encoding: chunked\r\n"),
    Looks(lacks: ["transfer-encoding"], body: "")),
  .passed("X-Transfer-Encoding is not a coding", "9110 5.1", get("X-Transfer-Encoding: chunked\r\n"), Looks(body: "")),
  coding("gzip", "a coding that does not end with chunked"),
  coding("gzip, chunked", "gzip below chunked"),
  coding("chunked, gzip", "gzip above chunked", "9112 6.3"),
  coding("identity", "identity, which is no coding any more"),
  coding("identity, chunked", "identity and chunked"),
  coding("chunked, identity", "chunked and identity"),
  coding("chunked, chunked", "chunked twice in a list", "9112 7.1"),
  .refused(
    "chunked twice in two fields", "9112 7.1",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body)),
  .refused(
    "identity and chunked in two fields", "9112 6.1",
    post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", body)),
  .refused(
    "chunked and an unknown one in two fields", "9112 6.3",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", body)),
  coding("", "an empty coding"),
  coding("xchunked", "a coding that ends like chunked"),
  coding("chunkedx", "a coding that starts like chunked"),
  coding("chunke", "a coding that is nearly chunked"),
  coding("x chunked", "two words"),
  coding("\"chunked\"", "chunked in quotes"),
  coding("'chunked'", "chunked in single quotes"),
  coding("chunked;q=1", "chunked with a parameter", "9112 7"),
  coding("\u{0B}chunked", "chunked behind a vertical tab", "9110 5.5"),
  coding("chunked\u{0B}", "chunked before a vertical tab", "9110 5.5"),
  coding("\u{00}chunked", "chunked behind a NUL", "9110 5.5"),
  coding("chunked\r", "chunked before a CR", "9112 2.2"),
  coding("\u{E7}hunked", "chunked with a cedilla"),
  coding("\u{A0}chunked", "chunked behind a no-break space"),
  .refused("a space before the coding's colon", "9112 5.1", post("Transfer-Encoding : chunked\r\n", body)),
  .refused("a tab before the coding's colon", "9112 5.1", post("Transfer-Encoding\t: chunked\r\n", body)),
  .refused("a folded coding", "9112 5.2", post("Transfer-Encoding:\r\n chunked\r\n", body)),
  .refused(
    "a coding on a line that ends with LF alone", "9112 2.2", post("X: 1\nTransfer-Encoding: chunked\r\n", body)),
  .refused(
    "a coding on a line that begins with a space", "9112 5.2", post("X: 1\r\n Transfer-Encoding: chunked\r\n", body)),
  .refused(
    "chunked from an HTTP/1.0 client", "9112 6.1",
    post("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", body, version: "1.0")),
]
