import CLinux
import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

@Suite("The router as a process")
struct LifecycleTests {
  /// Connects to the handover socket and takes what it gives.
  private static func take(_ path: String) throws -> [Int32] {
    let descriptor = try connectUnix(path)
    defer { close(descriptor) }
    var received = [Int32](repeating: -1, count: 8)
    let count = paas_receive_fds(descriptor, &received, received.count)
    return Array(received.prefix(Int(max(0, count))))
  }

  @Test("the server's user gets the listening socket, and another user gets nothing", arguments: [true, false])
  func handover(isServer: Bool) async throws {
    let directory = try TestRouter.temporaryDirectory()
    let path = "\(directory)/handover.sock"
    let socket: Int32 = try checked("make a socket") {
      Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
    try bindUnix(socket, path)
    try checked("listen") { Glibc.listen(socket, 8) }
    let router = try await TestRouter(directory: directory) {
      $0.handoverDescriptor = socket
      $0.serverUID = isServer ? getuid() : getuid() + 1
    }
    let taken = try await blocking { try Self.take(path) }
    #expect(taken.count == (isServer ? 1 : 0))
    if let listener = taken.first {
      var address = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      withUnsafeMutablePointer(to: &address) {
        _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
      }
      #expect(Int(UInt16(bigEndian: address.sin_port)) == router.port)
      close(listener)
    }
    try await router.stop()
    close(socket)
  }

  @Test("SIGTERM closes the door, lets the request in flight end, and exits 0")
  func terminates() async throws {
    let mayAnswer = Atomic<Bool>(false)
    let backend = try TestBackend { line, backend in
      backend.note(try line.message())
      while !mayAnswer.load(ordering: .acquiring) { usleep(1000) }
      try line.write(ok("in time"))
      _ = try line.toEnd()
    }
    let directory = try TestRouter.temporaryDirectory()
    let (listener, port) = try listenOnFreePort()
    let file = TableFile(path: "\(directory)/table.json")
    try file.write(table([.live("hello", [backend.endpoint])]))
    var configuration = RouterConfiguration(listenDescriptors: [listener], tableFile: file.path, socketPath: nil)
    configuration.limits = TestRouter.quick
    let role = Task { [configuration] in
      let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
      return try await RouterRole.main(configuration, logger: logger)
    }
    let idle = try Line.connect(port: port)
    let slow = try Line.connect(port: port)
    try slow.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
    #expect(try await eventually { backend.requests.count == 1 })
    kill(getpid(), SIGTERM)
    #expect(try await blocking { try idle.toEnd().isEmpty })
    mayAnswer.store(true, ordering: .releasing)
    let response = try await blocking { try slow.message() }
    #expect(response.text == "in time" && response.header("connection") == "close")
    slow.end()
    #expect(try await role.value == 0)
    close(listener)
    try Files.removeTree(directory)
  }

  @Test("routers that follow one another on a socket answer every connection that was made")
  func succession() async throws {
    let backend = try TestBackend { _ in ok("here") }
    let directory = try TestRouter.temporaryDirectory()
    let (listener, port) = try listenOnFreePort()
    let file = TableFile(path: "\(directory)/table.json")
    try file.write(table([.live("hello", [backend.endpoint])]))
    var configuration = RouterConfiguration(
      listenDescriptors: [listener], tableFile: file.path, socketPath: nil, threads: 2)
    configuration.limits = TestRouter.quick
    // Who has connected, and is slow to ask because the machine is, is waited for.
    configuration.limits.newcomer = .seconds(60)
    configuration.limits.drain = .seconds(120)
    let visitors = Visitors()
    async let asked: Void = visitors.ask(port: port)
    var serving = try await RunningRouter(configuration)
    for _ in 0..<40 {
      let before = visitors.answered.load(ordering: .relaxed)
      #expect(try await eventually { visitors.answered.load(ordering: .relaxed) > before + 10 })
      // One after the other: whose turn it is, is between processes.
      try await serving.stop()
      serving = try await RunningRouter(configuration)
    }
    visitors.isOver.store(true, ordering: .releasing)
    try await asked
    try await serving.stop()
    close(listener)
    try Files.removeTree(directory)
  }

  @Test("a client that has connected, and asks only after the router was told to end, is answered")
  func latecomer() async throws {
    let backend = try TestBackend { _ in ok("still here") }
    var limits = TestRouter.quick
    limits.farewell = .milliseconds(1)
    limits.newcomer = .seconds(60)
    limits.head = .seconds(120)
    limits.drain = .seconds(120)
    let router = try await TestRouter([.live("hello", [backend.endpoint])], limits: limits)
    let client = try router.connect()
    let half = try router.connect()
    try half.write("GET / HTTP/1.1\r\n")
    // Accepted in order: when this one is answered and ended, those are the router's.
    let other = try router.connect()
    #expect(try await blocking { try other.ask("GET", host: "hello.localhost").text } == "still here")
    async let stopped: Void = router.stop()
    #expect(try await blocking { try other.toEnd().isEmpty })
    for (line, rest) in [(client, "GET / HTTP/1.1\r\n"), (half, "")] {
      try line.write(rest + "Host: hello.localhost\r\n\r\n")
      let response = try await blocking { try line.message() }
      #expect(response.text == "still here" && response.header("connection") == "close")
    }
    try await stopped
  }

  @Test("a router without a socket, or alone without a table, says so")
  func cannotStart() async throws {
    let logger = Logger(label: "test")
    await #expect(throws: RouterError.noListener) {
      try await RouterRuntime(
        RouterConfiguration(listenDescriptors: [], tableFile: "/nowhere", socketPath: nil), logger: logger)
    }
    let directory = try TestRouter.temporaryDirectory()
    try Files.writeDurably(Array("{}".utf8), to: "\(directory)/table.json")
    for path in ["/nowhere/table.json", "\(directory)/table.json"] {
      await #expect(throws: RouterError.self) {
        try await RouterRuntime(
          RouterConfiguration(listenDescriptors: [0], tableFile: path, socketPath: nil), logger: logger)
      }
    }
    try Files.removeTree(directory)
  }
}

/// One of several routers on the same listening socket.
private struct RunningRouter {
  private let stopper: AsyncStream<Void>.Continuation
  private let running: Task<Void, any Error>

  init(_ configuration: RouterConfiguration) async throws {
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let runtime = try await RouterRuntime(configuration, logger: logger)
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    stopper = continuation
    running = Task { try await runtime.run { for await _ in stream {} } }
  }

  func stop() async throws {
    stopper.finish()
    try await running.value
  }
}

/// Four threads that ask over a new connection each time, until it is over.
private final class Visitors: Sendable {
  let isOver = Atomic<Bool>(false)
  let answered = Atomic<Int>(0)

  func ask(port: Int) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { [self] in
          try await blocking { [self] in
            while !isOver.load(ordering: .acquiring) {
              let response = try Line.connect(port: port).ask("GET", host: "hello.localhost")
              #expect(response.text == "here")
              answered.add(1, ordering: .relaxed)
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
