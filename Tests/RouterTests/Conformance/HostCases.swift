private func bad(_ host: String, _ name: String, _ rule: String = "9110 7.2") -> WireCase {
  .refused(name, rule, "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
}

private func good(_ host: String, _ name: String, _ rule: String = "9110 7.2") -> WireCase {
  .passed(name, rule, "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n", Looks(once: ["host"]))
}

/// A host that is nobody's: 404, and nothing wrong with the connection.
private func unknown(_ host: String, _ name: String) -> WireCase {
  WireCase(
    name: name, rule: "9110 7.4", request: "GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n", statuses: [404], sent: .nothing)
}

/// The one Host field, which decides whose request it is (RFC 9110 section 7.2, RFC 9112 section 3.2).
let hostCases: [WireCase] = [
  .passed("a host", "9110 7.2", get(), Looks(has: ["Host: {host}"])),
  good("{host}:8080", "a host with port"),
  good("{host}:", "a host with an empty port", "9110 4.2.3"),
  good("{host}.", "a host with a trailing dot"),
  good("{host}.:80", "a host with a trailing dot and port"),
  good("  {host}\t", "spaces around a host", "9110 5.5"),
  .passed(
    "a host in capitals", "9110 4.2.3", "GET / HTTP/1.1\r\nhOST: {HOST}\r\n\r\n", Looks(once: ["host"])),
  unknown("nobody.localhost", "a host that is nobody's"),
  unknown("x.{host}", "a name below an app's"),
  unknown("localhost", "the name above an app's"),
  unknown("{host}x", "a name that starts like an app's"),
  unknown("[::1]", "an IPv6 address"),
  unknown("[::1]:8080", "an IPv6 address with port"),
  unknown("127.0.0.1:8080", "an IPv4 address with port"),
  unknown("a_b.localhost", "a name with an underscore"),

  .refused("no Host", "9112 3.2", "GET / HTTP/1.1\r\nX: 1\r\n\r\n"),
  .refused("no field at all", "9112 3.2", "GET / HTTP/1.1\r\n\r\n"),
  .refused("the absolute form does not make up for Host", "9112 3.2", "GET http://{host}/ HTTP/1.1\r\n\r\n"),
  .refused("no Host from HTTP/1.0", "9112 3.2", "GET / HTTP/1.0\r\n\r\n", [400, 404]),
  .refused("two Hosts that agree", "9112 3.2", "GET / HTTP/1.1\r\n{H}{H}\r\n"),
  .refused("two Hosts that differ", "9112 3.2", "GET / HTTP/1.1\r\n{H}Host: evil.localhost\r\n\r\n"),
  .refused("a second Host that is empty", "9112 3.2", "GET / HTTP/1.1\r\n{H}Host:\r\n\r\n"),
  .refused("two Hosts, in two cases, apart", "9112 3.2", "GET / HTTP/1.1\r\n{H}X: 1\r\nHOST: {host}\r\n\r\n"),
  .refused("two Hosts from HTTP/1.0", "9112 3.2", "GET / HTTP/1.0\r\n{H}{H}\r\n"),
  .refused("two Hosts and the absolute form", "9112 3.2", "GET http://{host}/ HTTP/1.1\r\n{H}{H}\r\n"),
  .refused("Host with a space before its colon", "9112 5.1", "GET / HTTP/1.1\r\nHost : {host}\r\n\r\n"),
  .refused("a folded Host", "9112 5.2", "GET / HTTP/1.1\r\nHost:\r\n {host}\r\n\r\n"),
  bad("", "an empty Host", "9110 4.2.1"),
  bad(":80", "a port without host", "9110 4.2.1"),
  bad(".", "a dot for a host"),
  bad("..", "two dots for a host"),
  bad(".{host}", "a dot before a host"),
  bad("{host}..", "two dots behind a host"),
  bad("a..b", "two dots inside a host"),
  bad("{host}:80:80", "two ports"),
  bad("{host}:80x", "a port with a letter"),
  bad("{host}:+80", "a port with a plus"),
  bad("{host}:-1", "a port below zero"),
  bad("{host}: 80", "a space before a port"),
  bad("{host} :80", "a space behind a host"),
  bad("{host}:65536", "a port above 65535"),
  bad("{host}:123456", "a port of six digits"),
  bad("{host} evil", "a space inside a host"),
  bad("{host}\tevil", "a tab inside a host"),
  bad("{host},evil", "a comma inside a host"),
  bad("{host}/", "a slash in a host"),
  bad("{host}/../evil", "a path in a host"),
  bad("{host}?a", "a question mark in a host"),
  bad("{host}#a", "a hash in a host"),
  bad("{host}\\evil", "a backslash in a host"),
  bad("user@{host}", "a user in a host", "9110 4.2.4"),
  bad("{host}@evil", "a host that is a user's name", "9110 4.2.4"),
  bad("http://{host}", "an address for a host"),
  bad("{host}%00", "an escape in a host"),
  bad("%63.localhost", "an escaped letter in a host"),
  bad("h\u{E9}llo.localhost", "Latin-1 in a host"),
  bad("{host}\u{00}", "a NUL in a host", "9110 5.5"),
  bad("{host}\u{00}.evil", "a NUL inside a host", "9110 5.5"),
  bad("<script>", "brackets in a host"),
  bad("a\"b", "a quote in a host"),
  bad("[::1", "an IPv6 address without end"),
  bad("::1", "an IPv6 address without brackets"),
  bad("[]", "an empty IPv6 address"),
  bad("[::g]", "no IPv6 address"),
  bad("[::1]x", "letters behind an IPv6 address"),
  bad("[::1]:x", "letters for the port of an IPv6 address"),
  bad("\(String(repeating: "a", count: 300)).localhost", "a host of 300 letters"),
]
