import Glibc

/// How reading a message failed. `unclear`: it is not HTTP as the grammar has it.
enum WireError: Error {
  case truncated(WireMessage)
  case reset(WireMessage)
  case silent
  case unclear(String)

  var isReset: Bool { if case .reset = self { true } else { false } }

  /// What arrived of a message that broke off.
  var partial: WireMessage? {
    switch self {
    case .truncated(let message), .reset(let message): message
    case .silent, .unclear: nil
    }
  }
}

/// A message exactly as it arrived. Text is Latin-1, so that each character is one byte.
struct WireMessage: Sendable {
  enum Framing: Sendable, Equatable { case none, length, chunked, close }

  var startLine = ""
  var fields: [(name: String, value: String)] = []
  var framing = Framing.none
  var body: [UInt8] = []
  var trailers: [String] = []
  /// The head with its line ends.
  var head = ""

  var text: String { latin1(body) }
  var target: String { startLine.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
  var status: Int { Int(target) ?? 0 }

  func values(_ name: String) -> [String] {
    fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
  }
}

func latin1(_ bytes: some Sequence<UInt8>) -> String {
  var scalars = String.UnicodeScalarView()
  scalars.append(contentsOf: bytes.map { Unicode.Scalar($0) })
  return String(scalars)
}

/// One byte for each character up to U+00FF.
func latin1Bytes(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

/// Reads messages by the letter of RFC 9112 and forgives nothing: what it cannot read the router should not have sent.
final class WireReader {
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private var position = 0
  private var message = WireMessage()

  /// A read that brings nothing for `patience` seconds is ``WireError/silent``.
  init(_ descriptor: Int32, patience: Int = 60) {
    self.descriptor = descriptor
    var limit = timeval(tv_sec: patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// `nil`: the connection ended before the message began.
  func request() throws(WireError) -> WireMessage? {
    guard try head() else { return nil }
    try body(isResponse: false)
    return message
  }

  /// Only the head of a request; its body is left unread.
  func requestHead() throws(WireError) -> WireMessage? { try head() ? message : nil }

  /// `nil`: the connection ended before the message began. Interim responses are messages of their own.
  func response(toHead: Bool = false) throws(WireError) -> WireMessage? {
    guard try head() else { return nil }
    let status = message.status
    if !toHead, status >= 200, status != 204, status != 304 { try body(isResponse: true) }
    return message
  }

  /// All that is left until the end of the connection, or until it is reset.
  func rest() throws(WireError) -> [UInt8] {
    message = WireMessage()
    do {
      while try more() {}
    } catch {
      // What arrived before the reset is what counts.
      guard error.isReset else { throw error }
    }
    defer { position = buffer.count }
    return Array(buffer[position...])
  }

  private func more() throws(WireError) -> Bool {
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    var count = recv(descriptor, &piece, piece.count, 0)
    while count < 0, errno == EINTR { count = recv(descriptor, &piece, piece.count, 0) }
    if count < 0 {
      if errno == EAGAIN { throw .silent }
      throw .reset(message)
    }
    buffer += piece[0..<count]
    return count > 0
  }

  private func byte() throws(WireError) -> UInt8 {
    while position == buffer.count { if try !more() { throw .truncated(message) } }
    defer { position += 1 }
    return buffer[position]
  }

  private func exactly(_ count: Int) throws(WireError) -> [UInt8] {
    while buffer.count - position < count {
      let isOpen = try more()
      if isOpen { continue }
      message.body += buffer[position...]
      throw .truncated(message)
    }
    defer { position += count }
    return Array(buffer[position..<(position + count)])
  }

  /// A line without its CR LF, and with no CR, LF or NUL in it.
  private func line() throws(WireError) -> String {
    var bytes: [UInt8] = []
    while true {
      let next = try byte()
      if next == 13 {
        guard try byte() == 10 else { throw .unclear("a bare CR in '\(latin1(bytes))'") }
        return latin1(bytes)
      }
      if next == 10 || next == 0 { throw .unclear("a bare LF or a NUL after '\(latin1(bytes))'") }
      bytes.append(next)
    }
  }

  private func head() throws(WireError) -> Bool {
    message = WireMessage()
    if position == buffer.count { if try !more() { return false } }
    let start = position
    message.startLine = try line()
    while true {
      let line = try line()
      if line.isEmpty { break }
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let name = parts.first, !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
        throw .unclear("no field: '\(line)'")
      }
      message.fields.append((String(name), trimmed(parts[1])))
    }
    message.head = latin1(buffer[start..<position])
    return true
  }

  private func body(isResponse: Bool) throws(WireError) {
    let codings = message.values("transfer-encoding")
    let lengths = message.values("content-length")
    guard codings.count + lengths.count <= 1 else { throw .unclear("two framings: \(message.head)") }
    if let coding = codings.first {
      guard coding.lowercased() == "chunked" else { throw .unclear("coding '\(coding)'") }
      message.framing = .chunked
      try chunks()
    } else if let length = lengths.first {
      guard let count = Int(length), latin1(length.utf8.filter { (48...57).contains($0) }) == length else {
        throw .unclear("length '\(length)'")
      }
      message.framing = .length
      message.body = try exactly(count)
    } else if isResponse {
      message.framing = .close
      while try more() {}
      message.body = Array(buffer[position...])
      position = buffer.count
    }
  }

  private func chunks() throws(WireError) {
    while true {
      let line = try line()
      guard let size = Int(line, radix: 16), size >= 0, !line.hasPrefix("+") else { throw .unclear("chunk '\(line)'") }
      if size == 0 { break }
      message.body += try exactly(size)
      guard try exactly(2) == [13, 10] else { throw .unclear("no CR LF after a chunk") }
    }
    while true {
      let line = try line()
      if line.isEmpty { return }
      message.trailers.append(line)
    }
  }
}

private func trimmed(_ value: Substring) -> String {
  var value = value.drop { $0 == " " || $0 == "\t" }
  while let last = value.last, last == " " || last == "\t" { value.removeLast() }
  return String(value)
}

private func isTokenByte(_ byte: UInt8) -> Bool {
  switch byte {
  case 48...57, 65...90, 97...122: true
  default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
  }
}
