import CLinux
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Wire

/// The server's end of `run/router.sock`, as plain sockets: hands out one table, remembers what it is told.
final class TestServer: Sendable {
  struct State {
    var table: RoutingTable?
    var reports: [RouterReport] = []
    var metrics: [RouterMetrics] = []
    var asked: [String] = []
    var lines: [RouterLogLine] = []
    var open: [Line] = []
  }

  let path: String
  let state: Mutex<State>
  private let listener: Int32

  init(path: String, table: RoutingTable?) throws {
    self.path = path
    state = Mutex(State(table: table))
    unlink(path)
    let descriptor: Int32 = try checked("make a socket") {
      socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
    try bindUnix(descriptor, path)
    try checked("listen") { listen(descriptor, 64) }
    listener = descriptor
    startThread { [self] in
      while true {
        let peer = paas_accept(descriptor)
        if peer < 0 { return }
        let line = Line(peer)
        state.withLock { $0.open.append(line) }
        startThread { try? self.serve(line) }  // ends with the connection
      }
    }
  }

  /// As after a kill -9: connections break, the socket file stays.
  func vanish() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
    state.withLock { $0.open }.forEach { $0.end() }
  }

  func set(_ table: RoutingTable) { state.withLock { $0.table = table } }
  var reports: [RouterReport] { state.withLock { $0.reports } }
  var metrics: [RouterMetrics] { state.withLock { $0.metrics } }
  var lines: [RouterLogLine] { state.withLock { $0.lines } }

  private func serve(_ line: Line) throws {
    while true {
      let request = try line.message()
      let path = request.target.split(separator: "?").first.map(String.init) ?? ""
      switch path {
      case "/router/report":
        let report = try Wire.decode(RouterReport.self, from: Data(request.body))
        state.withLock { $0.reports.append(report) }
        try line.write("HTTP/1.1 204 No Content\r\nPaas-Wire: 1\r\n\r\n")
      case "/router/metrics":
        let metrics = try Wire.decode(RouterMetrics.self, from: Data(request.body))
        state.withLock { $0.metrics.append(metrics) }
        try line.write("HTTP/1.1 204 No Content\r\nPaas-Wire: 1\r\n\r\n")
      case "/router/logs":
        let lines = RouterLogLine.decode(request.body)
        state.withLock { $0.lines += lines }
        try line.write("HTTP/1.1 204 No Content\r\nPaas-Wire: 1\r\n\r\n")
      default: try answerPoll(request, line)
      }
    }
  }

  private func answerPoll(_ request: Message, _ line: Line) throws {
    let after = request.target.split(separator: "=").last.flatMap { UInt64($0) }
    state.withLock { $0.asked.append(request.target) }
    let deadline = ContinuousClock.now + .seconds(1)
    while ContinuousClock.now < deadline {
      if let table = state.withLock({ $0.table }), table.generation != after {
        let json = String(decoding: try Wire.encode(table), as: UTF8.self)
        return try line.write(ok(json, "Paas-Wire: 1\r\nContent-Type: application/json\r\n"))
      }
      usleep(2000)
    }
    try line.write("HTTP/1.1 204 No Content\r\nPaas-Wire: 1\r\n\r\n")
  }
}

func bindUnix(_ descriptor: Int32, _ path: String) throws {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
  _ = try withUnsafePointer(to: &address) { pointer in
    try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
      try checked("bind '\(path)'") { bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}

func connectUnix(_ path: String) throws -> Int32 {
  let descriptor = try checked("make a socket") {
    socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  }
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
  _ = try withUnsafePointer(to: &address) { pointer in
    try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
      try checked("connect to '\(path)'") { connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
  return descriptor
}
