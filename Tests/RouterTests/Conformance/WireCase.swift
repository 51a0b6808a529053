/// What a message must look like. Field names are compared without case, values to the byte.
struct Looks: Sendable {
  /// The whole start line.
  var line: String?
  /// `Name: value`: the field is there once, with this value.
  var has: [String] = []
  /// `Name: value`: the fields of this name, in this order, are all of that name that are there.
  var list: [String] = []
  /// Fields that are there exactly once, with whatever value.
  var once: [String] = []
  /// Fields that are not there.
  var lacks: [String] = []
  /// Text that is nowhere in the head.
  var hides: [String] = []
  var body: String?
  var bodyHas: String?
  var trailers: [String]?
  var framing: WireMessage.Framing?

  /// What is wrong with the message of the case of this host, in words.
  func faults(_ message: WireMessage, host: String) -> [String] {
    var faults: [String] = []
    let has = has.map { $0.replacing("{host}", with: host) }
    if let line, message.startLine != line { faults.append("start line '\(message.startLine)', not '\(line)'") }
    for field in has {
      let (name, value) = Self.split(field)
      if message.values(name) != [value] { faults.append("\(name) is \(message.values(name)), not '\(value)'") }
    }
    for name in Set(list.map { Self.split($0).name.lowercased() }) {
      let wanted = list.map(Self.split).filter { $0.name.lowercased() == name }.map(\.value)
      if message.values(name) != wanted { faults.append("\(name) is \(message.values(name)), not \(wanted)") }
    }
    for name in once where message.values(name).count != 1 { faults.append("\(name) is \(message.values(name))") }
    for name in lacks where !message.values(name).isEmpty { faults.append("\(name) is \(message.values(name))") }
    for text in hides where message.head.contains(text) { faults.append("'\(text)' is in the head") }
    if let body, message.text != body { faults.append("body '\(message.text.prefix(80))', not '\(body.prefix(80))'") }
    if let bodyHas, !message.text.contains(bodyHas) { faults.append("no '\(bodyHas)' in '\(message.text)'") }
    if let trailers, message.trailers != trailers { faults.append("trailers \(message.trailers), not \(trailers)") }
    if let framing, message.framing != framing { faults.append("framed by \(message.framing), not \(framing)") }
    return faults
  }

  private static func split(_ field: String) -> (name: String, value: String) {
    let parts = field.split(separator: ":", maxSplits: 1).map(String.init)
    return (parts.first ?? "", parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
  }
}

/// One exchange through the router, to the byte. In `request`, `{H}` stands for the case's own Host field with its line
/// end, and `{host}` for the host alone. Characters up to U+00FF are single bytes.
struct WireCase: Sendable {
  /// What becomes of the client's connection. A second request is sent right behind the first one.
  enum Then: Sendable {
    /// The second request is answered with its own answer.
    case goesOn
    /// The connection ends after the answer, and the second request was never sent on.
    case closes
    /// One of both; the RFC leaves it open.
    case either
    /// The answer breaks off so that nobody can take it for whole.
    case cut
  }

  /// What the instance does after its answer.
  enum Ending: Sendable { case stays, closes, resets }

  /// What the instance must have got, before the second request.
  enum Sent: Sendable {
    case nothing
    case one(Looks)
    /// A request that came to its end with the connection, or nothing at all.
    case noWhole
    case anything
  }

  static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

  let name: String
  /// The section that says so: of RFC 9112 or 9110.
  let rule: String
  var request: String
  var reply = ok
  var ending = Ending.stays
  /// Any of these is right; 0 is an end without any answer.
  var statuses = [200]
  var interim: [Int]?
  var answer = Looks()
  var sent = Sent.one(Looks())
  var then = Then.goesOn
  /// The client ends its output behind the request instead of asking again.
  var halfCloses = false

  /// Not sent on, answered with one of `statuses`, and the connection ends.
  static func refused(_ name: String, _ rule: String, _ request: String, _ statuses: [Int] = [400]) -> WireCase {
    WireCase(name: name, rule: rule, request: request, statuses: statuses, sent: .nothing, then: .closes)
  }

  /// A body that turns out to be none: the client is told, and the instance never gets a whole request.
  static func broken(_ name: String, _ rule: String, _ request: String) -> WireCase {
    WireCase(name: name, rule: rule, request: request, statuses: [400], sent: .noWhole, then: .closes)
  }

  /// Sent on as it should look, and answered; the connection goes on.
  static func passed(
    _ name: String, _ rule: String, _ request: String, _ sent: Looks = Looks(), answer: Looks = Looks(),
    then: Then = .goesOn
  ) -> WireCase {
    WireCase(name: name, rule: rule, request: request, answer: answer, sent: .one(sent), then: then)
  }

  /// About the instance's answer.
  static func answered(
    _ name: String, _ rule: String, to request: String = get(), reply: String, ending: Ending = .stays,
    _ statuses: [Int] = [200], _ answer: Looks = Looks(), interim: [Int]? = nil, then: Then = .goesOn
  ) -> WireCase {
    WireCase(
      name: name, rule: rule, request: request, reply: reply, ending: ending, statuses: statuses, interim: interim,
      answer: answer, then: then)
  }

  /// An answer that is no HTTP: H17, and the client's own connection may go on.
  static func bad(
    _ name: String, _ rule: String, reply: String, ending: Ending = .stays, code: String = "H17"
  ) -> WireCase {
    WireCase(
      name: name, rule: rule, request: get(), reply: reply, ending: ending, statuses: [503],
      answer: Looks(bodyHas: code), then: .either)
  }
}

/// A request for `/` with these fields, each with its line end.
func get(_ fields: String = "", method: String = "GET", target: String = "/", version: String = "1.1") -> String {
  "\(method) \(target) HTTP/\(version)\r\n{H}\(fields)\r\n"
}

func post(_ fields: String, _ body: String = "", version: String = "1.1") -> String {
  "POST / HTTP/\(version)\r\n{H}\(fields)\r\n\(body)"
}

/// A request whose body is these chunks.
func chunked(_ body: String, _ fields: String = "") -> String {
  post("Transfer-Encoding: chunked\r\n\(fields)", body)
}
