private func spoofed(_ fields: String, _ name: String, _ rule: String = "9110 7.6.3") -> WireCase {
  .passed(
    name, rule, get(fields),
    Looks(
      has: ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: {host}"],
      once: ["x-forwarded-port", "x-request-start", "x-request-id", "forwarded"], hides: ["6.6.6.6", "evil", "https"]))
}

private func kept(_ id: String, _ name: String) -> WireCase {
  .passed(name, "9110 5.1", get("X-Request-Id: \(id)\r\n"), Looks(has: ["X-Request-Id: \(id)"]))
}

private func made(_ id: String, _ name: String) -> WireCase {
  .passed(
    name, "9110 5.1", get("X-Request-Id: \(id)\r\n"),
    Looks(once: ["x-request-id"], hides: ["X-Request-Id: \(id)\r", "x-request-id: \(id)\r"]))
}

private let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"

/// What only the router may say about where a request came from; no peer of these tests is trusted.
let forwardedCases: [WireCase] = [
  .passed(
    "what the router adds", "9110 7.6.3", get(),
    Looks(
      has: ["X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: {host}", "Via: 1.1 paas"],
      once: ["x-forwarded-port", "x-request-id", "x-request-start", "forwarded"])),
  spoofed("X-Forwarded-For: 6.6.6.6\r\n", "a spoofed X-Forwarded-For"),
  spoofed("x-forwarded-for: 6.6.6.6, 127.0.0.1\r\n", "a spoofed list in X-Forwarded-For"),
  spoofed("X-Forwarded-For: 6.6.6.6\r\nX-FORWARDED-FOR: 6.6.6.6\r\n", "two spoofed X-Forwarded-For"),
  spoofed("X_Forwarded_For: 6.6.6.6\r\n", "X_Forwarded_For, which CGI takes for X-Forwarded-For"),
  spoofed("X-Forwarded_For: 6.6.6.6\r\n", "X-Forwarded_For with one underscore"),
  spoofed("X_Forwarded_Proto: https\r\nX_FORWARDED_HOST: evil\r\n", "the others with underscores"),
  spoofed("X_Real_IP: 6.6.6.6\r\nX_Request_Id: evilevilevilevilevilevil\r\n", "X_Real_IP and X_Request_Id"),
  spoofed("X-Forwarded-Proto: https\r\n", "a spoofed X-Forwarded-Proto"),
  spoofed("X-Forwarded-Port: 443\r\nX-Forwarded-Port: https\r\n", "a spoofed X-Forwarded-Port"),
  spoofed("X-Forwarded-Host: evil\r\n", "a spoofed X-Forwarded-Host"),
  spoofed("X-Real-IP: 6.6.6.6\r\n", "a spoofed X-Real-IP"),
  spoofed("X-Request-Start: evil\r\n", "a spoofed X-Request-Start"),
  spoofed("Forwarded: for=6.6.6.6;proto=https;host=evil\r\n", "a spoofed Forwarded"),
  spoofed("Forwarded: for=6.6.6.6\r\nForwarded: by=evil\r\n", "two spoofed Forwarded"),
  spoofed(
    "Connection: X-Forwarded-Host, Forwarded\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\n",
    "spoofed fields that Connection names"),
  kept("01234567-89ab-cdef-0123-456789abcdef", "a request id like a UUID is kept"),
  kept("abcdefghij0123456789", "a request id of 20 letters is kept"),
  kept(letters, "a request id of every letter it may have is kept"),
  kept(String(repeating: "a", count: 200), "a request id of 200 letters is kept"),
  made("abcdefghij012345678", "a request id of 19 letters is not kept"),
  made(String(repeating: "a", count: 201), "a request id of 201 letters is not kept"),
  made("", "an empty request id is not kept"),
  made("abcdefghij0123456789_", "a request id with an underscore is not kept"),
  made("abcdefghij 0123456789", "a request id with a space is not kept"),
  made("abcdefghij0123456789=", "a request id with a sign is not kept"),
  made("abcdefghij0123456789\u{E9}", "a request id of Latin-1 is not kept"),
  made("abcdefghij0123456789\" path=\"/x", "a request id that would forge a log line is not kept"),
  .passed(
    "two request ids become one", "9110 5.3",
    get("X-Request-Id: aaaaaaaaaaaaaaaaaaaaaaaa\r\nX-Request-Id: bbbbbbbbbbbbbbbbbbbbbbbb\r\n"),
    Looks(once: ["x-request-id"])),
]
