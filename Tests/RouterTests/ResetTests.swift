import Glibc
import Linux
import Synchronization
import Testing
import Wire

@testable import Router

/// A write to a client that has reset its connection fails inside the write: the request then ends in the middle of
/// the response's code. What an event loop uses again and again must not be given back twice, or two clients would
/// share it, and one would get the other's answer.
@Suite("Clients that reset as their answer comes")
struct ResetTests {
  /// Requests that wait for their answer at the instance, by target.
  private final class Waiting: Sendable {
    private let lines = Mutex<[String: Line]>([:])
    var count: Int { lines.withLock { $0.count } }

    func add(_ line: Line, _ target: String) { lines.withLock { $0[target] = line } }
    func take() -> [String: Line] {
      lines.withLock { all in
        defer { all = [:] }
        return all
      }
    }
  }

  private func ask(_ router: TestRouter, _ waiting: Waiting, _ prefix: String, _ count: Int) throws -> [Line] {
    let lines = try (0..<count).map { index in
      let line = try router.connect()
      try line.write("GET /\(prefix)/\(index) HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
      return line
    }
    happens { waiting.count >= count }
    return lines
  }

  @Test("nobody gets another's answer afterwards", arguments: [0, 70_000])
  func resets(length: Int) async throws {
    let waiting = Waiting()
    let backend = try TestBackend { line, _ in
      while true { waiting.add(line, try line.message().target) }
    }
    let app = try RoutedApp.live("hello", [backend.endpoint])
    let padding = String(repeating: "x", count: length)
    var limits = TestRouter.quick
    limits.firstByte = .seconds(300)  // the first of them waits for the last
    let router = try await TestRouter([app], limits: limits) { $0.threads = 1 }
    let wrong = try await blocking {
      var wrong: [String] = []
      for round in 0..<10 {
        // The instance answers, and at once the client is gone.
        var clients: [Line?] = try ask(router, waiting, "reset", 48)
        let left = waiting.take()
        if left.count != 48 { wrong.append("round \(round): \(left.count) of 48 requests came to the instance") }
        for (target, line) in left {
          try line.write(ok(padding))
          guard let index = target.split(separator: "/").last.flatMap({ Int($0) }) else { continue }
          clients[index]?.reset()
          clients[index] = nil
        }
        let others = try ask(router, waiting, "other", 24)
        let asked = waiting.take()
        if asked.count != 24 { wrong.append("round \(round): \(asked.count) of 24 requests came to the instance") }
        for (target, line) in asked { try line.write(ok(target)) }
        for (index, line) in others.enumerated() where asked["/other/\(index)"] != nil {
          let got = (try? line.message().text) ?? "nothing"  // which is wrong, and says so below
          if got != "/other/\(index)" { wrong.append("round \(round): \(index) got \(got)") }
        }
        if !wrong.isEmpty { break }
      }
      return wrong
    }
    #expect(wrong == [])
    try await router.stop()
  }
}
