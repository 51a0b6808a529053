private func target(_ target: String, _ name: String, _ rule: String = "9112 3.2") -> WireCase {
  .refused(name, rule, get(target: target))
}

private func kept(_ target: String, _ name: String, _ rule: String = "9112 3.2.1") -> WireCase {
  .passed(name, rule, get(target: target), Looks(line: "GET \(target) HTTP/1.1"))
}

/// The four forms of a target, and its bytes, which go on as they are (RFC 9112 section 3.2, 9110 section 7.7).
let targetCases: [WireCase] = [
  kept("/a/b?c=d&e=f", "path and query"),
  kept("/?", "an empty query"),
  kept("/a//b/./c/../d/", "a path is not tidied", "9110 7.7"),
  kept("//evil.example/a", "a path of two slashes is no authority"),
  kept("/%2e%2E/%2F%00%zz", "escapes are not undone", "9110 7.7"),
  kept("/?a=http://other.localhost/", "an address in a query"),
  kept("/a[]{}|^`\"<>\\b", "letters that clients send though the grammar has no place for them"),
  kept("/a;b=c,d:@!$&'()*+~-._", "letters that the grammar has a place for"),
  kept("/" + String(repeating: "a", count: 4000), "a target of 4 kB"),
  .passed(
    "the absolute form that agrees", "9112 3.2.2", get(target: "http://{host}/x?y"),
    Looks(line: "GET /x?y HTTP/1.1", has: ["Host: {host}"])),
  .passed(
    "the absolute form agrees in another case", "9112 3.2.2", get(target: "HTTP://{host}/x"),
    Looks(line: "GET /x HTTP/1.1")),
  .passed(
    "the absolute form without a path", "9112 3.2.1", get(target: "http://{host}"), Looks(line: "GET / HTTP/1.1")),
  .passed(
    "the absolute form without a path, with a query", "9112 3.2.1", get(target: "http://{host}?q=1"),
    Looks(line: "GET /?q=1 HTTP/1.1")),
  .passed(
    "the absolute form of OPTIONS without a path is the asterisk", "9112 3.2.4",
    get(method: "OPTIONS", target: "http://{host}"), Looks(line: "OPTIONS * HTTP/1.1")),
  .passed(
    "the absolute form from HTTP/1.0 without Host", "9112 3.2.2", "GET http://{host}/x HTTP/1.0\r\n\r\n",
    Looks(line: "GET /x HTTP/1.1", has: ["Host: {host}"]), then: .closes),
  .passed(
    "the asterisk form of OPTIONS", "9112 3.2.4", get(method: "OPTIONS", target: "*"), Looks(line: "OPTIONS * HTTP/1.1")
  ),

  target("http://other.localhost/", "the absolute form that disagrees with Host", "9112 3.2.2"),
  target("http://{host}:81/", "the absolute form that disagrees in its port", "9112 3.2.2"),
  target("http:///x", "the absolute form without host", "9110 4.2.1"),
  target("http://user@{host}/", "the absolute form with a user", "9110 4.2.4"),
  target("http://user:pw@{host}/", "the absolute form with a password", "9110 4.2.4"),
  target("ftp://{host}/", "the absolute form of another scheme", "9112 3.2.2"),
  target("http:/{host}/", "one slash behind the scheme", "9112 3.2.2"),
  target("http://a b/", "a space in the absolute form", "9112 3.2"),
  target("{host}:80", "the authority form of GET", "9112 3.2.3"),
  target("{host}/x", "a host for a path"),
  target("*", "the asterisk form of GET", "9112 3.2.4"),
  target("*/x", "a path behind the asterisk", "9112 3.2.4"),
  target("a", "a path without slash"),
  target("?a=b", "a query alone"),
  target("\\a", "a backslash for a slash"),
  target("/a#b", "a fragment"),
  target("/a b", "a space in a target"),
  target("/a\tb", "a tab in a target"),
  target("/a\u{00}b", "a NUL in a target"),
  target("/a\u{01}b", "a control character in a target"),
  target("/a\u{1F}b", "another control character in a target"),
  target("/a\u{7F}b", "DEL in a target"),
  target("/a\rb", "a CR in a target", "9112 2.2"),
  target("/a\nb", "an LF in a target", "9112 2.2"),
  .refused(
    "CONNECT", "9110 9.3.6", "CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n", [400, 405, 501]),
  .refused("CONNECT with a path", "9112 3.2.3", get(method: "CONNECT"), [400, 405, 501]),
  .refused("a target of 100 kB", "9112 3", get(target: "/" + String(repeating: "a", count: 100_000)), [414]),
]
