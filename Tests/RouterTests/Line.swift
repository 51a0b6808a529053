import Glibc
import Linux

/// What a test found at the other end of a socket.
enum LineError: Error, Equatable {
  /// The end came in the middle of a message.
  case truncated
  /// The end came before a message.
  case ended
  case failed(String, Int32)
}

/// An HTTP message as it was on the wire.
struct Message: Sendable {
  var startLine: String
  var headers: [(name: String, value: String)]
  var body: [UInt8] = []

  var text: String { String(decoding: body, as: UTF8.self) }
  var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
  var method: String { startLine.split(separator: " ").first.map(String.init) ?? "" }
  var target: String { startLine.split(separator: " ").dropFirst().first.map(String.init) ?? "" }

  func values(_ name: String) -> [String] { headers.filter { $0.name.lowercased() == name }.map(\.value) }
  func header(_ name: String) -> String? { values(name).first }
}

/// A connected socket with plain blocking calls; every wait ends after a minute. Used by one thread at a time.
final class Line: @unchecked Sendable {  // no lock: the test hands it from one step to the next
  let descriptor: Int32
  private var buffer: [UInt8] = []

  init(_ descriptor: Int32) {
    self.descriptor = descriptor
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { Glibc.close(descriptor) }

  /// `window`: bytes that the kernel takes for it before they are read; `nil`: what the kernel thinks right.
  static func connect(port: Int, window: Int32? = nil) throws -> Line {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    if var window {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &window, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = loopback(port)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    let line = Line(descriptor)
    if result != 0 { throw LineError.failed("connect", errno) }
    return line
  }

  func write(_ text: String) throws { try write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        send(descriptor, $0.baseAddress.map { $0 + offset }, $0.count - offset, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }  // a call with a limit is not taken up again by the kernel
      if count <= 0 { throw LineError.failed("write", errno) }
      offset += count
    }
  }

  func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }
  func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Ends with a reset instead of an end of file.
  func reset() {
    var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
  }

  /// More bytes into the buffer; false at the end of file.
  private func fill(most: Int = 64 << 10) throws -> Bool {
    var piece = [UInt8](repeating: 0, count: most)
    var count = recv(descriptor, &piece, piece.count, 0)
    while count < 0, errno == EINTR { count = recv(descriptor, &piece, piece.count, 0) }
    if count < 0 { throw LineError.failed("read", errno) }
    buffer += piece[0..<count]
    return count > 0
  }

  /// What has come, at most so much at a time; 0 at the end.
  func some(most: Int) throws -> Int {
    if buffer.isEmpty, try !fill(most: most) { return 0 }
    let count = min(most, buffer.count)
    buffer.removeFirst(count)
    return count
  }

  /// Returns when `text` has arrived and is not read yet, when the connection has ended, or after two minutes: what is
  /// read then says which.
  func arrival(of text: String) {
    var piece = [UInt8](repeating: 0, count: 4096)
    happens {
      let count = recv(descriptor, &piece, piece.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
      if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { return true }
      return count > 0 && latin1(piece[0..<count]).contains(text)
    }
  }

  func exactly(_ count: Int) throws -> [UInt8] {
    while buffer.count < count { if try !fill() { throw LineError.truncated } }
    defer { buffer.removeFirst(count) }
    return Array(buffer[0..<count])
  }

  /// Counts and forgets `count` bytes, for large bodies.
  func skip(_ count: Int) throws {
    var left = count
    while left > 0 {
      if buffer.isEmpty, try !fill() { throw LineError.truncated }
      let now = min(left, buffer.count)
      buffer.removeFirst(now)
      left -= now
    }
  }

  func toEnd() throws -> [UInt8] {
    while try fill() {}
    defer { buffer = [] }
    return buffer
  }

  private func textLine() throws -> String {
    while true {
      if let end = buffer.firstIndex(of: 10) {
        defer { buffer.removeFirst(end + 1) }
        return String(decoding: buffer[0..<end].filter { $0 != 13 }, as: UTF8.self)
      }
      if try !fill() { throw buffer.isEmpty ? LineError.ended : LineError.truncated }
    }
  }

  func head() throws -> Message {
    var message = Message(startLine: try textLine(), headers: [])
    while true {
      let line = try textLine()
      if line.isEmpty { return message }
      let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
      message.headers.append((parts[0], parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""))
    }
  }

  /// A whole message. `toHead`: it answers HEAD.
  func message(toHead: Bool = false) throws -> Message {
    var message = try head()
    let isResponse = message.startLine.hasPrefix("HTTP/")
    if isResponse, toHead || message.status == 204 || message.status == 304 || message.status < 200 { return message }
    if message.header("transfer-encoding")?.lowercased() == "chunked" {
      message.body = try chunks()
    } else if let length = message.header("content-length").flatMap({ Int($0) }) {
      message.body = try exactly(length)
    } else if isResponse {
      message.body = try toEnd()
    }
    return message
  }

  private func chunks() throws -> [UInt8] {
    var body: [UInt8] = []
    do {
      while let size = Int(try textLine(), radix: 16), size > 0 {
        body += try exactly(size)
        _ = try exactly(2)
      }
      while try !textLine().isEmpty {}
    } catch LineError.ended {
      throw LineError.truncated
    }
    return body
  }

  /// One request and its response.
  func ask(
    _ method: String, host: String, path: String = "/", headers: String = "", body: String = ""
  ) throws -> Message {
    let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
    try write("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(headers)\(length)\r\n\(body)")
    return try message(toHead: method == "HEAD")
  }
}

func loopback(_ port: Int) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
  return address
}

/// A listening socket on a free port of loopback.
func listenOnFreePort() throws -> (descriptor: Int32, port: Int) {
  let (descriptor, port) = try bindFreePort()
  try checked("listen") { listen(descriptor, 512) }
  return (descriptor, port)
}

/// A socket that has a free port of loopback for itself.
func bindFreePort() throws -> (descriptor: Int32, port: Int) {
  let descriptor = try checked("make a socket") {
    socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  }
  var address = loopback(0)
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  try withUnsafeMutablePointer(to: &address) { pointer in
    try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
      try checked("bind") { bind(descriptor, address, length) }
      try checked("ask for the port") { getsockname(descriptor, address, &length) }
    }
  }
  return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
}
