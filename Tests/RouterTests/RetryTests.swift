import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

@Suite("Instances that do not answer")
struct RetryTests {
  /// Ends each connection after its first response without having said so, as an app's idle timeout does.
  static func forgetful() throws -> TestBackend {
    try TestBackend { line, backend in
      backend.note(try line.message())
      try line.write(ok("done"))
      _ = try? line.head()  // the next request arrives, and is lost with the connection
    }
  }

  @Test("a POST is never sent twice, and never lost on a connection that the app has closed")
  func postOnce() async throws {
    let backend = try Self.forgetful()
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      for number in 0..<200 {
        #expect(try line.ask("POST", host: "hello.localhost", path: "/\(number)", body: "x").status == 200)
      }
      #expect(backend.requests.map(\.target) == (0..<200).map { "/\($0)" })
    }
  }

  @Test("a GET that met a dead reused connection is sent once more")
  func getAgain() async throws {
    let backend = try Self.forgetful()
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      let line = try router.connect()
      var again = 0
      for _ in 0..<50 {
        let since = ContinuousClock.now
        let answer = try line.ask("GET", host: "hello.localhost")
        if answer.status == 200 { again += 1 }
        // An instance that took a second to end the connection may have begun with the request: it is not sent again.
        let mayHaveBegun = answer.text.contains("H13") && ContinuousClock.now - since >= .seconds(1)
        #expect(answer.status == 200 || mayHaveBegun)
      }
      #expect(again > 40)
    }
  }

  @Test("an app that closes without a response gets each request once: H13")
  func closesWithoutResponse() async throws {
    let backend = try TestBackend { line, backend in backend.note(try line.message()) }
    try await withRouter([.live("hello", [backend.endpoint])]) { router in
      for method in ["GET", "POST"] {
        let response = try router.connect().ask(method, host: "hello.localhost", body: method == "POST" ? "x" : "")
        #expect(response.status == 503 && response.text.contains("H13"))
      }
      #expect(backend.requests.map(\.method) == ["GET", "POST"])
    }
  }

  @Test("an instance that refuses is passed over for the others, POST too")
  func another() async throws {
    let backend = try TestBackend { _ in ok("here") }
    let dead = Endpoint(
      instance: InstanceID(), name: "web.2", address: Address(host: "127.0.0.1", port: try closedPort()))
    try await withRouter([.live("hello", [dead, backend.endpoint])]) { router in
      let line = try router.connect()
      for _ in 0..<20 { #expect(try line.ask("POST", host: "hello.localhost", body: "x").text == "here") }
      #expect(backend.requests.count == 20)
    }
  }

  @Test("a request that nobody accepts is held until the table changes")
  func held() async throws {
    let backend = try TestBackend { _ in ok("new") }
    let dead = Endpoint(
      instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: try closedPort()))
    var limits = TestRouter.quick
    limits.hold = .seconds(120)
    let router = try await TestRouter([.live("hello", [dead])], limits: limits)
    let line = try router.connect()
    async let answer = blocking { try line.ask("POST", host: "hello.localhost", body: "x") }
    #expect(try await eventually { router.runtime.plane.shared.held.load(ordering: .relaxed) == 1 })
    _ = try await router.runtime.tables.apply(table([.live("hello", [backend.endpoint])], generation: 2))
    #expect(try await answer.text == "new")
    #expect(backend.requests.count == 1)
    try await router.stop()
  }

  @Test("when nobody ever accepts, the answer is H21")
  func refused() async throws {
    var limits = TestRouter.quick
    limits.hold = .milliseconds(200)
    let dead = Endpoint(
      instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: try closedPort()))
    try await withRouter([.live("hello", [dead])], limits: limits) { router in
      let response = try router.connect().ask("GET", host: "hello.localhost")
      #expect(response.status == 503 && response.text.contains("H21"))
    }
  }

  @Test("no first byte in time is H12, bytes that are not HTTP are H17, silence in a body breaks it off")
  func badApps() async throws {
    var (impatient, limits) = (TestRouter.quick, TestRouter.quick)
    impatient.firstByte = .seconds(1)
    limits.firstByte = .seconds(120)
    limits.idle = .seconds(1)
    let backend = try TestBackend { line, _ in
      let request = try line.message()
      if request.target == "/garbage" { try line.write("this is not http\r\n\r\n") }
      if request.target == "/silent" { try line.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") }
      _ = try line.toEnd()
    }
    try await withRouter([.live("hello", [backend.endpoint])], limits: impatient) { router in
      let late = try router.connect().ask("GET", host: "hello.localhost")
      #expect(late.status == 503 && late.text.contains("H12"))
    }
    try await withRouter([.live("hello", [backend.endpoint])], limits: limits) { router in
      let line = try router.connect()
      let garbage = try line.ask("GET", host: "hello.localhost", path: "/garbage")
      #expect(garbage.status == 503 && garbage.text.contains("H17"))
      #expect(throws: LineError.truncated) { _ = try line.ask("GET", host: "hello.localhost", path: "/silent") }
    }
  }

  @Test("apps without instances are answered with their code, unknown hosts with 404")
  func pages() async throws {
    func app(_ name: String, _ state: RoutedApp.State) throws -> RoutedApp {
      RoutedApp(id: AppID(), name: try AppName(name), hosts: ["\(name).localhost"], state: state, endpoints: [])
    }
    let apps = [
      try app("blank", .blank), try app("none", .noWeb), try app("crashed", .crashed), try app("offline", .maintenance),
    ]
    try await withRouter(apps) { router in
      let line = try router.connect()
      for (name, code) in [("blank", "H81"), ("none", "H14"), ("crashed", "H10"), ("offline", "H80")] {
        let response = try line.ask("GET", host: "\(name).localhost")
        #expect(response.status == 503 && response.text.contains(code))
      }
      #expect(try line.ask("GET", host: "other.localhost").status == 404)
      #expect(try line.ask("POST", host: "other.localhost", body: "x").header("connection") == "close")
    }
  }
}
