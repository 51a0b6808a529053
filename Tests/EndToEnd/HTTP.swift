import Glibc
import Linux

/// An answer as it came over the socket.
struct Answer: Sendable, Equatable {
  var status: Int
  var head: String
  var body: String
}

/// One request over a new connection to loopback, with the Host header of an app. A plain socket: nothing is retried
/// or reused behind the test's back.
enum HTTP {
  static func get(
    _ path: String = "/", host: String, port: Int, headers: [String] = [], timeout: Int = 120
  ) async -> Answer? {
    await blocking { getNow(path, host: host, port: port, headers: headers, timeout: timeout) }
  }

  /// `nil` when the connection failed or the answer was cut short.
  static func getNow(_ path: String, host: String, port: Int, headers: [String] = [], timeout: Int) -> Answer? {
    let lines = ["GET \(path) HTTP/1.1", "Host: \(host)", "Connection: close"] + headers
    let text = lines.joined(separator: "\r\n") + "\r\n\r\n"
    guard let connection = try? connect(port: port, sending: text) else { return nil }
    defer { close(connection) }
    limitReceiving(from: connection, seconds: timeout)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = recv(connection, &buffer, buffer.count, 0)
      if count < 0, errno == EINTR { continue }
      if count < 0 { return nil }
      if count == 0 { break }
      bytes += buffer[0..<count]
    }
    return parse(String(decoding: bytes, as: UTF8.self))
  }

  /// A connection on which this was sent, and nothing more; the caller closes it.
  static func connect(port: Int, sending text: String) throws(SystemError) -> Int32 {
    let connection = try checked("make a socket") {
      socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    let bytes = Array(text.utf8)
    guard connected == 0, send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
      let error = SystemError("connect to port \(port)")
      close(connection)
      throw error
    }
    return connection
  }

  private static func parse(_ text: String) -> Answer? {
    guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
    let head = String(text[..<end.lowerBound])
    let words = head.split(separator: " ", maxSplits: 2)
    guard words.count >= 2, let status = Int(words[1]) else { return nil }
    var body = String(text[end.upperBound...])
    if head.lowercased().contains("transfer-encoding: chunked") {
      guard let whole = dechunked(body) else { return nil }
      body = whole
    }
    return Answer(status: status, head: head, body: body)
  }

  private static func dechunked(_ text: String) -> String? {
    var rest = Array(text.utf8)[...]
    var body: [UInt8] = []
    while let line = rest.firstRange(of: [13, 10]) {
      guard let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) else { return nil }
      if size == 0 { return String(decoding: body, as: UTF8.self) }
      guard rest.endIndex - line.upperBound >= size + 2 else { return nil }
      body += rest[line.upperBound..<line.upperBound + size]
      rest = rest[(line.upperBound + size + 2)...]
    }
    return nil
  }
}

/// Requests at a steady rate from the moment it is made until it is stopped; every answer is kept. A machine that cannot
/// keep up with the rate, or stalls, is asked less often: at most ``most`` wait at once, and none is made up for.
/// The lock guards the answers and the flag.
final class Load: @unchecked Sendable {
  struct Result: Sendable {
    var answers: [Answer?]
    var failures: [Answer?] { answers.filter { $0?.status != 200 } }
    func bodies() -> Set<String> { Set(answers.compactMap { $0?.body }) }
  }

  private static let most = 100

  private var answers: [Answer?] = []
  private var stopping = false
  private var outstanding = 0
  private var lock = pthread_mutex_t()

  init(host: String, port: Int, perSecond: Int = 50) {
    pthread_mutex_init(&lock, nil)
    startThread { [self] in
      var next = ContinuousClock.now
      while !locked({ stopping }) {
        if begin() {
          startThread { [self] in
            let answer = HTTP.getNow("/", host: host, port: port, timeout: 120)
            locked {
              answers.append(answer)
              outstanding -= 1
            }
          }
        }
        next = max(next, .now) + .milliseconds(1000 / perSecond)
        let wait = (next - .now).components
        _ = poll(nil, 0, Int32(max(0, wait.seconds * 1000 + wait.attoseconds / 1_000_000_000_000_000)))
      }
    }
  }

  var count: Int { locked { answers.count } }

  /// Whether one more may be asked now.
  private func begin() -> Bool {
    locked {
      guard !stopping, outstanding < Self.most else { return false }
      outstanding += 1
      return true
    }
  }

  func stop() async -> Result {
    locked { stopping = true }
    while locked({ outstanding }) > 0 { await pause(milliseconds: 5) }
    return locked { Result(answers: answers) }
  }

  private func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(&lock)
    defer { pthread_mutex_unlock(&lock) }
    return body()
  }
}
