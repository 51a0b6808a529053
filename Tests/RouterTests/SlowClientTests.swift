import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

/// POLLRDHUP of Linux, which Glibc's module does not show: the peer has ended its half.
let pollHangUp = 0x2000

/// What needs the machine for itself: one after the other.
@Suite("Under load", .serialized)
enum LoadTests {}

extension LoadTests {
  /// Clients that hold on to a connection and give nothing for it (slowloris). Each kind comes two hundred times, and
  /// meanwhile other clients must not notice.
  @Suite("Slow clients")
  struct SlowClientTests {
    enum Kind: String, CaseIterable, Sendable {
      /// A byte of a head every 50 ms.
      case slowHead
      /// A byte of a body every 50 ms: never idle, so only a limit on the body's pace would end it.
      case drippingBody
      /// The beginning of a body, and then nothing.
      case stalledBody
      /// Asks for much and reads nothing.
      case stalledReading
      /// Connects and says nothing.
      case idle

      var opening: String {
        switch self {
        case .slowHead: "GET / HTTP/1.1\r\nHost: slow.localhost\r\nX: "
        case .drippingBody, .stalledBody: "POST / HTTP/1.1\r\nHost: slow.localhost\r\nContent-Length: 1000000\r\n\r\nx"
        case .stalledReading: "GET /large HTTP/1.1\r\nHost: slow.localhost\r\n\r\n"
        case .idle: ""
        }
      }

      var drips: Bool { self == .slowHead || self == .drippingBody }
      var reachesInstance: Bool { self != .slowHead && self != .idle }
    }

    static let count = 200

    private static var limits: RouterLimits {
      var limits = TestRouter.quick
      limits.keepAlive = .seconds(8)
      limits.head = .seconds(1)
      limits.body = .seconds(1)
      limits.idle = .seconds(1)
      limits.firstByte = .seconds(120)
      limits.linger = .milliseconds(500)
      return limits
    }

    @Test("other clients notice nothing, and the slow ones are gone in time", arguments: Kind.allCases)
    func slow(kind: Kind) async throws {
      let open = Atomic<Int>(0)
      let slow = try TestBackend { line, _ in
        open.add(1, ordering: .relaxed)
        defer { open.subtract(1, ordering: .relaxed) }
        let request = try line.head()
        guard request.target == "/large" else { return try line.skip(1_000_000) }
        try line.write("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
        let piece = [UInt8](repeating: 7, count: 1 << 20)
        for _ in 0..<64 { try line.write(piece) }
      }
      let good = try TestBackend { ok($0.target) }
      let router = try await TestRouter(
        [.live("slow", [slow.endpoint]), .live("good", [good.endpoint])], limits: Self.limits)
      let port = router.port
      let probe = try await blocking {
        let crowd = try (0..<Self.count).map { _ in try Line.connect(port: port) }
        for line in crowd { try line.write(kind.opening) }
        return try Self.watch(crowd, kind: kind, port: port, open: { open.load(ordering: .relaxed) })
      }
      #expect(probe.asked >= 10)
      #expect(probe.good == probe.asked)
      #expect(probe.left == 0)
      #expect(try await eventually { await router.inFlight() == 0 && open.load(ordering: .relaxed) == 0 })
      try await router.stop()
      slow.refuse()
      good.refuse()
    }

    struct Probe: Sendable {
      var asked = 0
      var good = 0
      var left = 0
    }

    /// Drips and probes until every slow client is gone, for two minutes at most.
    private static func watch(_ crowd: [Line], kind: Kind, port: Int, open: () -> Int) throws -> Probe {
      var probe = Probe()
      var kept = try Line.connect(port: port)
      var answered = ContinuousClock.now
      let deadline = ContinuousClock.now + .seconds(120)
      repeat {
        // On a busy machine the router may have taken it for unused.
        if ContinuousClock.now - answered > .milliseconds(500) { kept = try Line.connect(port: port) }
        for line in [kept, try Line.connect(port: port)] {
          probe.asked += 1
          let answer = try? line.ask("GET", host: "good.localhost", path: "/\(probe.asked)")  // none is not good
          if answer?.text == "/\(probe.asked)" { probe.good += 1 }
        }
        answered = .now
        // Whoever reads nothing does not see the end; the instance does.
        probe.left = kind == .stalledReading ? open() : waiting(crowd, drips: kind.drips)
      } while probe.asked < 10 || (probe.left > 0 && ContinuousClock.now < deadline)
      return probe
    }

    /// How many are still connected after 50 ms in which each of them sends a byte, if it drips.
    private static func waiting(_ crowd: [Line], drips: Bool) -> Int {
      var polls = crowd.map { pollfd(fd: $0.descriptor, events: Int16(pollHangUp), revents: 0) }
      let end = ContinuousClock.now + .milliseconds(50)
      while ContinuousClock.now < end, poll(&polls, nfds_t(polls.count), 10) < polls.count {}
      let left = polls.filter { $0.revents == 0 }
      if drips { for line in left { _ = send(line.fd, "a", 1, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) } }
      return left.count
    }
  }
}
