import CLinux
import FoundationEssentials
import Glibc
import Linux
import Platform
import Synchronization
import Wire

/// The platform at the other end of `run/receiver.sock`: a small HTTP/1.1 server on a unix socket, one connection per
/// thread. Only what the receiver's client needs.
final class StubServer: Sendable {
  struct Request: Sendable {
    var method: String
    var path: String
    var headers: [String: String]
    var body: [UInt8]
    /// The body was broken off before its end.
    var cut = false
  }

  enum Response: Sendable {
    case status(Int, [UInt8])
    /// Sent as they are, then the connection is closed without the end of the body.
    case broken([UInt8])

    static func json(_ value: some Encodable, status: Int = 200) -> Response {
      .status(status, (try? Wire.encode(value)).map { Array($0) } ?? [])
    }
    static func error(_ id: String, _ message: String, status: Int) -> Response {
      json(APIError(id: id, message: message), status: status)
    }
  }

  typealias Handler = @Sendable (Request) -> Response

  let path: String
  private let descriptor: Int32
  private let handler: Handler
  private let log = Mutex<[Request]>([])

  var requests: [Request] { log.withLock { $0 } }

  /// Milliseconds before each 64 KiB that it reads: a server that is slower than its clients.
  private let pause: Int32

  init(path: String, pauseMilliseconds pause: Int32 = 0, handler: @escaping Handler) throws {
    self.path = path
    self.handler = handler
    self.pause = pause
    descriptor = try checked("make a socket") {
      socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    try checked("bind '\(path)'") {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
    }
    try checked("listen on '\(path)'") { listen(descriptor, 64) }
    startThread { [self] in
      while true {
        let connection = paas_accept(descriptor)
        guard connection >= 0 else { return }
        startThread { self.serve(connection) }
      }
    }
  }

  func stop() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  private func serve(_ connection: Int32) {
    defer { close(connection) }
    var buffer: [UInt8] = []
    while let request = read(connection, &buffer) {
      log.withLock { $0.append(request) }
      let answer = handler(request)
      var bytes: [UInt8]
      switch answer {
      case .status(let status, let body):
        bytes = Array("HTTP/1.1 \(status) OK\r\nContent-Length: \(body.count)\r\nPaas-Wire: 1\r\n\r\n".utf8) + body
      case .broken(let body):
        bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nPaas-Wire: 1\r\n\r\n".utf8) + body
      }
      do { try Files.writeAll(bytes, to: connection, name: "an answer") } catch { return }
      if case .broken = answer { return }
      if request.cut { return }
    }
  }

  private func read(_ connection: Int32, _ buffer: inout [UInt8]) -> Request? {
    let separator = Array("\r\n\r\n".utf8)
    while true {
      if let end = buffer.firstRange(of: separator) {
        var request = head(buffer[..<end.lowerBound])
        buffer.removeSubrange(..<end.upperBound)
        body(of: &request, connection, &buffer)
        return request
      }
      guard more(connection, &buffer) else { return nil }
    }
  }

  private func head(_ bytes: ArraySlice<UInt8>) -> Request {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\r\n")
    let first = (lines.first ?? "").split(separator: " ")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    return Request(
      method: first.first.map(String.init) ?? "", path: first.count > 1 ? String(first[1]) : "", headers: headers,
      body: [])
  }

  private func body(of request: inout Request, _ connection: Int32, _ buffer: inout [UInt8]) {
    if request.headers["transfer-encoding"] == "chunked" {
      while let size = line(connection, &buffer).flatMap({ Int($0, radix: 16) }) {
        guard take(size + 2, connection, &buffer, { request.body += $0.prefix(size) }) else { break }
        if size == 0 { return }
      }
      request.cut = true
    } else {
      let length = request.headers["content-length"].flatMap { Int($0) } ?? 0
      request.cut = !take(length, connection, &buffer) { request.body += $0 }
    }
  }

  private func line(_ connection: Int32, _ buffer: inout [UInt8]) -> String? {
    while true {
      if let end = buffer.firstRange(of: [13, 10]) {
        let text = String(decoding: buffer[..<end.lowerBound], as: UTF8.self)
        buffer.removeSubrange(..<end.upperBound)
        return text
      }
      guard more(connection, &buffer) else { return nil }
    }
  }

  private func take(
    _ count: Int, _ connection: Int32, _ buffer: inout [UInt8], _ use: (ArraySlice<UInt8>) -> Void
  ) -> Bool {
    while buffer.count < count { guard more(connection, &buffer) else { return false } }
    use(buffer[..<count])
    buffer.removeSubrange(..<count)
    return true
  }

  private func more(_ connection: Int32, _ buffer: inout [UInt8]) -> Bool {
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    if pause > 0 { _ = poll(nil, 0, pause) }
    let count = Glibc.read(connection, &piece, piece.count)
    guard count > 0 else { return false }
    buffer += piece[..<count]
    return true
  }
}
