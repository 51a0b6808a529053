private let five = "hello"

private func length(_ value: String, _ name: String, _ rule: String = "9112 6.3") -> WireCase {
  .refused(name, rule, post("Content-Length: \(value)\r\n", five))
}

/// Where a request ends: one reading, or none (RFC 9112 section 6).
let requestFramingCases: [WireCase] = [
  .passed(
    "a body with its length", "9112 6.2", post("Content-Length: 5\r\n", five),
    Looks(has: ["Content-Length: 5"], body: five, framing: .length)),
  .passed(
    "a length of zero", "9112 6.2", post("Content-Length: 0\r\n"), Looks(body: "")),
  .passed("no length and no coding is no body", "9112 6.3", post(""), Looks(body: "")),
  .passed("GET may have a body", "9110 9.3.1", get("Content-Length: 5\r\n") + five, Looks(body: five)),
  .passed(
    "DELETE may have a body", "9110 9.3.5", get("Content-Length: 5\r\n", method: "DELETE") + five, Looks(body: five)),
  .passed("spaces around a length", "9110 5.5", post("Content-Length:  \t5 \t \r\n", five), Looks(body: five)),
  .passed(
    "leading zeros are decimal", "9110 8.6", post("Content-Length: 010\r\n", "0123456789"), Looks(body: "0123456789")),
  .passed("a length's name in any case", "9110 5.1", post("cOnTENT-lENGTH: 5\r\n", five), Looks(body: five)),
  .passed(
    "a body that looks like a request", "9112 6.3",
    post("Content-Length: 50\r\n", "GET /evil HTTP/1.1\r\nHost: evil.localhost\r\nX: 1\r\n\r\n"),
    Looks(body: "GET /evil HTTP/1.1\r\nHost: evil.localhost\r\nX: 1\r\n\r\n", framing: .length)),
  .passed(
    "Content_Length is not a length", "9110 5.1", get("Content_Length: 30\r\n"),
    Looks(lacks: ["content-length"], body: "")),
  .passed("Content-Length- is not a length", "9110 5.1", get("Content-Length-: 30\r\n"), Looks(body: "")),
  .passed("X-Content-Length is not a length", "9110 5.1", get("X-Content-Length: 30\r\n"), Looks(body: "")),

  .refused(
    "length and chunked", "9112 6.1",
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
  .refused(
    "chunked and length", "9112 6.1",
    post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")),
  .refused(
    "length and chunked, the length longer than what came", "9112 6.1",
    post("Content-Length: 50\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
  .refused(
    "a length of zero and chunked", "9112 6.1",
    post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
  .refused(
    "a length and an unknown coding", "9112 6.1",
    post("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", five)),
  .refused(
    "a length and an empty coding", "9112 6.1", post("Content-Length: 5\r\nTransfer-Encoding:\r\n", five)),
  .refused("two lengths that differ", "9112 6.3", post("Content-Length: 5\r\nContent-Length: 6\r\n", five)),
  .refused("two lengths that agree", "9112 6.3", post("Content-Length: 5\r\nContent-Length: 5\r\n", five)),
  .refused(
    "two lengths in two cases with another field between", "9112 6.3",
    post("content-length: 0\r\nAccept: */*\r\nCONTENT-LENGTH: 5\r\n", five)),
  length("5, 5", "a list of lengths that agree"),
  length("5,6", "a list of lengths that differ"),
  length("5,", "a length and a comma"),
  length("+5", "a length with a plus"),
  length("-5", "a length below zero"),
  length("-0", "minus zero"),
  length("0 5", "a length with a space inside"),
  length("5 5", "two numbers in one length"),
  length("0x5", "a length in hexadecimal"),
  length("5a", "a length with a letter behind"),
  length("a", "a length that is a letter"),
  length("1e1", "a length with an exponent"),
  length("5.0", "a length with a fraction"),
  length("5_0", "a length with an underscore"),
  length("\"5\"", "a length in quotes"),
  length("5;", "a length with a parameter"),
  length("", "an empty length"),
  length(" \t ", "a length of spaces"),
  length("9223372036854775808", "a length above 2^63"),
  length("18446744073709551621", "a length of 2^64 + 5, which is 5 to who overflows"),
  length("99999999999999999999999999999999999999", "a length of 38 digits"),
  length("5\u{0B}", "a length with a vertical tab", "9110 5.5"),
  length("\u{0C}5", "a length behind a form feed", "9110 5.5"),
  length("5\u{00}", "a length with a NUL", "9110 5.5"),
  length("5\r", "a length with a CR behind", "9112 2.2"),
  length("\u{A0}5", "a length behind a no-break space"),
  length("\u{B2}", "a length that is a superscript"),
  .refused("a space before the length's colon", "9112 5.1", post("Content-Length : 5\r\n", five)),
  .refused("a folded length", "9112 5.2", post("Content-Length:\r\n 5\r\n", five)),
]
