import Glibc
import Linux
import Platform
import Testing

@testable import SlugRunner

@Suite struct ValueTests {
  @Test("delays double from one second to five minutes, and start over after ten minutes up")
  func restartPolicy() {
    var policy = RestartPolicy()
    let delays = (1...11).map { _ in policy.crashed(after: .seconds(3)).components.seconds }
    #expect(delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    #expect(policy.crashed(after: .seconds(600)) == .seconds(1))
    #expect(policy.crashed(after: .zero) == .seconds(2))
  }

  @Test("a port is given out once until it is released, in a circle")
  func leases() {
    var leases = PortLeases(startingAt: 29_999)
    #expect(leases.lease { _ in true } == 29_999)
    #expect(leases.lease { $0 != 20_000 } == 20_001)
    leases.release(29_999)
    #expect(leases.lease { _ in true } == 20_002)
    #expect(leases.lease { _ in false } == nil)
    #expect(leases.taken == [20_001, 20_002])
  }

  @Test("only listening sockets of the very port are found in the kernel's table")
  func sockets() {
    let table = """
        sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
         0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
         1: 0100007F:1F90 0100007F:AF90 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
         2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
         3: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4714 1
      """
    #expect(ListeningSockets.inodes(port: 8080, in: table) == ["4711", "4714"])
  }

  @Test("all that listen are found, and of the many connections behind them hardly any is read")
  func listeners() throws {
    var open: [Int32] = []
    defer { for descriptor in open { close(descriptor) } }
    let any = try listen(on: 0)
    open.append(any)
    let port = try localPort(of: any)
    for _ in 0..<300 { open.append(try connect(to: port)) }
    var expected: [Int: String] = [:]
    for _ in 0..<300 {
      let descriptor = try listen(on: 0)
      open.append(descriptor)
      var info = stat()
      fstat(descriptor, &info)
      expected[try localPort(of: descriptor)] = "\(info.st_ino)"
    }
    let table = try ListeningSockets.listeners("/proc/net/tcp")
    for (port, inode) in expected { #expect(ListeningSockets.inodes(port: port, in: table) == [inode]) }
    let others = table.split(separator: "\n").dropFirst().filter { $0.split(separator: " ").dropFirst(3).first != "0A" }
    #expect(others.count < 100)
  }

  private func listen(on port: UInt16) throws -> Int32 {
    let descriptor = try checked("make a socket") {
      socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }
    var address = loopback(port)
    try checked("bind") {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    try checked("listen") { Glibc.listen(descriptor, 512) }
    return descriptor
  }

  private func connect(to port: Int) throws -> Int32 {
    let descriptor = try checked("make a socket") {
      socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }
    var address = loopback(UInt16(port))
    try checked("connect") {
      withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    }
    return descriptor
  }

  private func localPort(of descriptor: Int32) throws -> Int {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    try checked("ask for the port") {
      withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
      }
    }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  @Test("who gets a request is who listens on 127.0.0.1, else who listens on every address")
  func receivers() {
    func table(_ rows: [(host: String, inode: Int)]) -> String {
      rows.reduce("head\n") { $0 + " 0: \($1.host):1F90 0:0000 0A 0:0 00:0 0 0 0 \($1.inode) 1\n" }
    }
    let any6 = String(repeating: "0", count: 32)
    let loopback6 = String(repeating: "0", count: 24) + "01000000"
    func receivers(_ tcp: [(String, Int)], _ tcp6: [(String, Int)]) -> Set<String> {
      ListeningSockets.receivers(port: 8080, tcp: table(tcp), tcp6: table(tcp6))
    }
    #expect(receivers([("0100007F", 1), ("0200007F", 2)], [(any6, 3)]) == ["1"])
    #expect(receivers([("00000000", 1)], [(any6, 3)]) == ["1"])
    #expect(receivers([], [(any6, 3), (loopback6, 4)]) == ["3"])
    #expect(receivers([("0200007F", 2)], [(loopback6, 4)]).isEmpty)
  }

  @Test("the last lines of a log are whole again where the writer cut them")
  func lastLines() throws {
    let directory = TemporaryDirectory("log")
    let path = directory.path + "/log"
    let text = "T stdout F one\nT stdout P tw\nT stdout F o\nT stderr F \nT stdout F  spaced  out\nrubbish\n"
    try writeFile(text, path)
    #expect(LogFile.lastLines(3, of: path) == ["two", "", " spaced  out"])
    #expect(LogFile.lastLines(3, of: path + "x").isEmpty)
  }
}

private func loopback(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}
