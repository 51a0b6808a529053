private func size(_ line: String, _ name: String, _ rule: String = "9112 7.1") -> WireCase {
  .broken(name, rule, chunked("\(line)\r\nhello\r\n0\r\n\r\n"))
}

/// The client ends its output in the middle.
private func cutShort(_ name: String, _ request: String) -> WireCase {
  WireCase(
    name: name, rule: "9112 8", request: request, statuses: [0, 400], sent: .noWhole, then: .either, halfCloses: true)
}

private let many = String(repeating: "X: y\r\n", count: 40_000)

/// Chunks that are wrong. The instance never gets a whole request of these (RFC 9112 sections 7.1 and 8).
let brokenChunkCases: [WireCase] = [
  size("xyz", "a size of letters"),
  size("", "an empty size"),
  size("-5", "a size below zero"),
  size("-0", "a size of minus zero"),
  size("+5", "a size with a plus"),
  size("0x5", "a size with 0x"),
  size("5h", "a size with h behind"),
  size(" 5", "a space before the size"),
  size("\t5", "a tab before the size"),
  size("5 ", "a space behind the size"),
  size("5\t", "a tab behind the size"),
  size("0 5", "a space in the size"),
  size("5,5", "a list of sizes"),
  size("0_5", "an underscore in the size"),
  size("5\u{00}", "a NUL behind the size"),
  size("\u{00}5", "a NUL before the size"),
  size("5\r", "a CR behind the size", "9112 2.2"),
  size("5\u{0B}", "a vertical tab behind the size"),
  size("\u{B5}", "a size of Latin-1"),
  size("\"5\"", "a size in quotes"),
  size("10000000000000005", "a size of 2^64 + 5, which is 5 to who overflows"),
  size("ffffffffffffffff", "a size of 2^64 - 1"),
  size("8000000000000005", "a size of 2^63 + 5"),
  size("7fffffffffffffff0", "a size of 17 digits"),
  size(String(repeating: "0", count: 5000) + "5", "five thousand zeros before the size"),
  size("5;name=value", "a chunk extension", "9112 7.1.1"),
  size("5;", "an empty chunk extension", "9112 7.1.1"),
  size("5;a=\"b\"", "a quoted chunk extension", "9112 7.1.1"),
  size("5 ; a", "a chunk extension behind a space", "9112 7.1.1"),
  size("5;a\rb", "a CR in a chunk extension", "9112 7.1.1"),
  size("5;\(String(repeating: "a", count: 100_000))", "a chunk extension of 100 kB", "9112 7.1.1"),
  .broken(
    "a chunk extension with an LF, which hides a chunk", "9112 7.1.1",
    chunked("0;a\nX\r\n\r\nGET /evil HTTP/1.1\r\n\r\n")),
  .broken("an extension on the last chunk", "9112 7.1.1", chunked("5\r\nhello\r\n0;a=b\r\n\r\n")),
  .broken("LF alone behind the size", "9112 2.2", chunked("5\nhello\r\n0\r\n\r\n")),
  .broken("CR alone behind the size", "9112 2.2", chunked("5\rhello\r\n0\r\n\r\n")),
  .broken("no line end behind the data", "9112 7.1", chunked("5\r\nhello0\r\n\r\n")),
  .broken("LF alone behind the data", "9112 7.1", chunked("5\r\nhello\n0\r\n\r\n")),
  .broken("CR alone behind the data", "9112 7.1", chunked("5\r\nhello\r0\r\n\r\n")),
  .broken("two other bytes behind the data", "9112 7.1", chunked("5\r\nhelloXX0\r\n\r\n")),
  .broken("more data than the size says", "9112 7.1", chunked("5\r\nhello world\r\n0\r\n\r\n")),
  .broken("less data than the size says", "9112 7.1", chunked("8\r\nhello\r\n0\r\n\r\n")),
  .broken("LF alone behind the last size", "9112 7.1", chunked("5\r\nhello\r\n0\n\r\n")),
  .broken("LF alone at the very end", "9112 7.1.2", chunked("5\r\nhello\r\n0\r\n\n")),
  .broken("a trailer without a colon", "9112 7.1.2", chunked("0\r\nX\r\n\r\n")),
  .broken("a trailer with a space before its colon", "9112 5.1", chunked("0\r\nX : 1\r\n\r\n")),
  .broken("a folded trailer", "9112 5.2", chunked("0\r\nX: 1\r\n 2\r\n\r\n")),
  .broken("a trailer with a NUL", "9110 5.5", chunked("0\r\nX: 1\u{00}2\r\n\r\n")),
  .broken("a trailer with a bare CR", "9112 2.2", chunked("0\r\nX: 1\r2\r\n\r\n")),
  .broken("a trailer that ends with LF alone", "9112 2.2", chunked("0\r\nX: 1\nY: 2\r\n\r\n")),
  WireCase(
    name: "trailers without end", rule: "9112 7.1.2", request: chunked("0\r\n\(many)\r\n"), statuses: [400, 431],
    sent: .noWhole, then: .closes),
  cutShort("the end in a size", chunked("5\r\nhello\r\n1")),
  cutShort("the end in the data", chunked("5\r\nhel")),
  cutShort("the end behind the data", chunked("5\r\nhello")),
  cutShort("the end between chunks", chunked("5\r\nhello\r\n")),
  cutShort("the end behind the last size", chunked("5\r\nhello\r\n0\r\n")),
  cutShort("the end in a trailer", chunked("5\r\nhello\r\n0\r\nX: 1")),
  cutShort("the end in the last line end", chunked("5\r\nhello\r\n0\r\n\r")),
  cutShort("the end in a body with a length", post("Content-Length: 10\r\n", "hello")),
  cutShort("the end before a body with a length", post("Content-Length: 10\r\n")),
  cutShort("the end in a field", "GET / HTTP/1.1\r\n{H}X: 1"),
  cutShort("the end before the empty line", "GET / HTTP/1.1\r\n{H}"),
]
