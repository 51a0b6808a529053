private func field(_ line: String, _ name: String, _ rule: String = "9110 5.5") -> WireCase {
  .refused(name, rule, get("\(line)\r\n"))
}

private func kept(_ line: String, _ name: String, _ rule: String = "9110 5.5") -> WireCase {
  .passed(name, rule, get("\(line)\r\n"), Looks(list: [line]))
}

/// Fields of a request: names, values, line ends, and how many (RFC 9112 section 5, RFC 9110 section 5).
let fieldCases: [WireCase] = [
  kept("X-A: plain", "a plain field"),
  kept("X-A:", "an empty value"),
  kept("X-A: a \t b", "a space and a tab inside a value"),
  kept("X-A: a: b: c", "colons in a value"),
  kept("X-A: \u{E9}\u{80}\u{FF}", "bytes above 127 in a value"),
  kept("X-A: \"q\\\"uoted\" (comment) <x> {y}", "quotes, parentheses and braces in a value"),
  kept("!#$%&'*+-.^`|~09aZ: x", "a name of all the letters a token may have", "9110 5.6.2"),
  kept("1: x", "a name of one digit", "9110 5.6.2"),
  kept("X-A: " + String(repeating: "v", count: 8000), "a value of 8 kB", "9110 5.4"),
  kept("Cookie: a=b; c=d", "a cookie"),
  kept("Authorization: Bearer x.y.z", "an authorization"),
  kept("Accept-Encoding: gzip, br;q=0.5", "an accepted encoding"),
  .passed("spaces around a value are no part of it", "9110 5.5", get("X-A: \t  v \t\r\n"), Looks(has: ["X-A: v"])),
  .passed("no space behind the colon", "9112 5", get("X-A:v\r\n"), Looks(has: ["X-A: v"])),
  .passed(
    "fields of one name keep their order, and are not merged away", "9110 5.3",
    get("X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-A: 1\r\n"), Looks(list: ["X-A: 1", "X-A: 3", "X-A: 1", "X-B: 2"])),
  .passed(
    "sixty fields", "9110 5.4", get((0..<60).map { "X-\($0): \($0)\r\n" }.joined()),
    Looks(has: (0..<60).map { "X-\($0): \($0)" })),

  field("X-A : v", "a space before a colon", "9112 5.1"),
  field("X-A\t: v", "a tab before a colon", "9112 5.1"),
  field("X-A", "a line without colon", "9112 5"),
  field(": v", "an empty name", "9112 5"),
  field(" X-A: v", "a line that begins with a space, which folds the Host field", "9112 5.2"),
  field("\tX-A: v", "a line that begins with a tab", "9112 5.2"),
  field("X-A: v\r\n w", "a folded value", "9112 5.2"),
  field("X-A:\r\n\tv", "a value on the next line behind a tab", "9112 5.2"),
  field("X-A: v\r\n \r\nX-B: w", "a folded line of one space", "9112 5.2"),
  field("X-A: v\r", "a CR before the line end", "9112 2.2"),
  field("X-A: v\rX-B: w", "a CR inside a value", "9112 2.2"),
  field("X-A: v\nX-B: w", "an LF alone between two fields", "9112 2.2"),
  field("X-A: v\n", "an LF before the line end", "9112 2.2"),
  field("X-A: \u{00}", "a NUL as a value"),
  field("X-A: a\u{00}b", "a NUL inside a value"),
  field("X-A: a\u{01}b", "a control character inside a value"),
  field("X-A: a\u{08}b", "a backspace inside a value"),
  field("X-A: a\u{0B}b", "a vertical tab inside a value"),
  field("X-A: a\u{0C}b", "a form feed inside a value"),
  field("X-A: a\u{1B}[1m", "an escape inside a value"),
  field("X-A: a\u{7F}b", "DEL inside a value"),
  field("X A: v", "a space inside a name", "9110 5.1"),
  field("X\u{00}A: v", "a NUL inside a name", "9110 5.1"),
  field("X\u{01}A: v", "a control character inside a name", "9110 5.1"),
  field("X\rA: v", "a CR inside a name", "9110 5.1"),
  field("X\u{7F}A: v", "DEL inside a name", "9110 5.1"),
  field("X\u{E9}A: v", "Latin-1 inside a name", "9110 5.1"),
  field("X(A): v", "parentheses in a name", "9110 5.6.2"),
  field("X@A: v", "an at sign in a name", "9110 5.6.2"),
  field("X/A: v", "a slash in a name", "9110 5.6.2"),
  field("X;A: v", "a semicolon in a name", "9110 5.6.2"),
  field("X,A: v", "a comma in a name", "9110 5.6.2"),
  field("X=A: v", "an equals sign in a name", "9110 5.6.2"),
  field("\"X\": v", "a name in quotes", "9110 5.6.2"),
  field("[X]: v", "a name in brackets", "9110 5.6.2"),
  field("{X}: v", "a name in braces", "9110 5.6.2"),
  field("X\\A: v", "a backslash in a name", "9110 5.6.2"),
  .refused("the empty line is an LF alone", "9112 2.2", "GET / HTTP/1.1\r\n{H}\n"),
  .refused("the empty line is a CR and two LF", "9112 2.2", "GET / HTTP/1.1\r\n{H}\r\r\n\r\n"),
  .refused("a field of 100 kB", "9110 5.4", get("X-A: \(String(repeating: "v", count: 100_000))\r\n"), [431]),
  .refused("a name of 100 kB", "9110 5.4", get("\(String(repeating: "v", count: 100_000)): x\r\n"), [431]),
  .refused("two thousand fields", "9110 5.4", get(String(repeating: "A: b\r\n", count: 2000)), [431]),
  .refused(
    "one field of 100 kB without end", "9110 5.4", "GET / HTTP/1.1\r\nX: \(String(repeating: "v", count: 100_000))",
    [431]),
  .passed(
    "a known expectation and none to wait for", "9110 10.1.1",
    "GET / HTTP/1.1\r\n{H}Expect: 100-continue\r\n\r\n", Looks()),
  WireCase(
    name: "an unknown expectation", rule: "9110 10.1.1", request: get("Expect: 200-ok\r\n"), statuses: [417],
    sent: .nothing, then: .either),
  WireCase(
    name: "an unknown expectation beside the known one", rule: "9110 10.1.1",
    request: get("Expect: 100-continue, tea\r\n"), statuses: [417], sent: .nothing, then: .either),
  WireCase(
    name: "100-continue from HTTP/1.0 is ignored", rule: "9110 10.1.1",
    request: "POST / HTTP/1.0\r\n{H}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", interim: [],
    sent: .one(Looks(lacks: ["expect"], body: "hi")), then: .closes),
  .passed(
    "100-Continue in capitals, and the body at once", "9110 10.1.1",
    post("Expect: 100-CONTINUE\r\nContent-Length: 2\r\n", "hi"), Looks(body: "hi")),
]
