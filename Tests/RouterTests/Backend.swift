import CLinux
import Dispatch
import Glibc
import Linux
import Platform
import Synchronization
import Wire

@testable import Router

/// An app's instance: a listening socket, and a thread per connection.
final class TestBackend: Sendable {
  let port: Int
  let instance = InstanceID()
  private let listener: Int32
  private let seen = Mutex<[Message]>([])
  private let opened = Atomic<Int>(0)

  /// Every request whose body was read, in the order they came.
  var requests: [Message] { seen.withLock { $0 } }
  var connections: Int { opened.load(ordering: .relaxed) }

  /// `serve` has the connection to itself; its errors end the connection.
  init(_ serve: @escaping @Sendable (Line, TestBackend) throws -> Void) throws {
    (listener, port) = try listenOnFreePort()
    let listener = listener
    startThread { [self] in
      while true {
        let peer = paas_accept(listener)
        if peer < 0 { return }
        opened.add(1, ordering: .relaxed)
        let line = Line(peer)
        startThread { try? serve(line, self) }  // the client of the test sees what went wrong
      }
    }
  }

  /// Answers every request on every connection with what `answer` returns.
  convenience init(answer: @escaping @Sendable (Message) -> String) throws {
    try self.init { line, backend in
      while true {
        let request = try line.message()
        backend.note(request)
        try line.write(answer(request))
      }
    }
  }

  /// Nobody listens there any more; open connections go on.
  func refuse() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  func note(_ request: Message) { seen.withLock { $0.append(request) } }

  var endpoint: Endpoint {
    Endpoint(instance: instance, name: "web.1", address: Address(host: "127.0.0.1", port: port))
  }
}

func ok(_ body: String, _ headers: String = "") -> String {
  "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}

/// A port on which every connection is refused: bound by a socket that never listens, so that no other test gets it.
func closedPort() throws -> Int { try bindFreePort().port }

extension RoutedApp {
  static func live(_ name: String, _ endpoints: [Endpoint], id: AppID = AppID()) throws -> RoutedApp {
    RoutedApp(id: id, name: try AppName(name), hosts: ["\(name).localhost"], state: .live, endpoints: endpoints)
  }
}

func table(_ apps: [RoutedApp], generation: UInt64 = 1, bootID: String = Machine.bootID) -> RoutingTable {
  RoutingTable(generation: generation, installation: InstallationID(), bootID: bootID, apps: apps)
}

/// Something that happens once, which other threads wait for: two minutes at most, and then the test fails for what
/// did not happen.
final class Latch: Sendable {
  private let opened = DispatchSemaphore(value: 0)

  func open() { opened.signal() }

  /// False when it did not happen.
  @discardableResult
  func wait() -> Bool {
    guard opened.wait(timeout: .now() + 120) == .success else { return false }
    opened.signal()  // for the others
    return true
  }
}

/// Asks until the answer is yes, on a thread that may block, for two minutes at most. What it asks about says nothing by
/// itself: a socket's queue, a count that others keep.
@discardableResult
func happens(_ question: () -> Bool) -> Bool {
  let deadline = ContinuousClock.now + .seconds(120)
  while ContinuousClock.now < deadline {
    if question() { return true }
    _ = poll(nil, 0, 1)
  }
  return false
}

/// Asks until the answer is yes, for two minutes at most: only a test that fails waits that long.
func eventually(_ question: () async throws -> Bool) async throws -> Bool {
  let deadline = ContinuousClock.now + .seconds(120)
  while ContinuousClock.now < deadline {
    if try await question() { return true }
    try await Task.sleep(for: .milliseconds(5))
  }
  return false
}
