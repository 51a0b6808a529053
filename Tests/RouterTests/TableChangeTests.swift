import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

@testable import Router

/// An address that is leased to one app after the other, as the platform does it.
private final class Lease: Sendable {
  let backend: TestBackend
  private let tenant: Tenant

  final class Tenant: Sendable {
    let name = Mutex<String>("nobody")
  }

  init() throws {
    let tenant = Tenant()
    self.tenant = tenant
    backend = try TestBackend { line, _ in
      // A process serves one app all its life; so does each of its connections.
      let mine = tenant.name.withLock { $0 }
      while true {
        _ = try line.message()
        usleep(useconds_t.random(in: 0...300))
        try line.write(ok(mine))
      }
    }
  }

  func lease(to name: String) { tenant.name.withLock { $0 = name } }

  /// A new instance at the old address.
  func endpoint() -> Endpoint {
    Endpoint(instance: InstanceID(), name: "web.1", address: backend.endpoint.address)
  }
}

/// What the load saw.
private final class Tally: Sendable {
  let stop = Atomic<Bool>(false)
  let answered = Atomic<Int>(0)
  let wrong = Mutex<[String]>([])

  func load(_ router: TestRouter, app: String, method: String) {
    do {
      var line = try router.connect()
      while !stop.load(ordering: .acquiring) {
        let response = try line.ask(method, host: "\(app).localhost", body: method == "POST" ? "x" : "")
        answered.add(1, ordering: .relaxed)
        if response.status != 200 || response.text != app {
          wrong.withLock { $0.append("\(method) \(app): \(response.startLine) \(response.text)") }
        }
        if Int.random(in: 0..<50) == 0 { line = try router.connect() }
      }
    } catch {
      wrong.withLock { $0.append("\(method) \(app): \(error)") }
    }
  }
}

@Suite("Routes that change under load")
struct TableChangeTests {
  @Test("a thousand table changes lose no request and send none to the wrong app, though addresses change hands")
  func thousandChanges() async throws {
    let leases = try (0..<6).map { _ in try Lease() }
    let names = ["apple", "berry"]
    let ids = names.map { _ in AppID() }
    var serving: [[(lease: Int, endpoint: Endpoint)]] = [[], []]
    for (index, lease) in leases.prefix(4).enumerated() {
      lease.lease(to: names[index % 2])
      serving[index % 2].append((index, lease.endpoint()))
    }
    var free = [4, 5]
    func next(_ generation: UInt64) throws -> RoutingTable {
      table(
        try names.indices.map { try .live(names[$0], serving[$0].map(\.endpoint), id: ids[$0]) },
        generation: generation)
    }

    let router = try await TestRouter([])
    _ = try await router.runtime.tables.apply(next(1))
    let tally = Tally()
    async let load: Void = withTaskGroup(of: Void.self) { group in
      for name in names {
        for method in ["GET", "GET", "POST"] {
          group.addTask { await blocking { tally.load(router, app: name, method: method) } }
        }
      }
    }
    for change in 0..<1000 {
      let app = change % 2
      let taken = free.removeFirst()
      leases[taken].lease(to: names[app])
      let left = serving[app].removeFirst()
      serving[app].append((taken, leases[taken].endpoint()))
      _ = try await router.runtime.tables.apply(next(UInt64(change + 2)))
      // The address is free when the table is in force and nothing is in flight on it.
      let drained = try await eventually {
        await !router.runtime.tables.report().inFlight.contains { $0.instance == left.endpoint.instance }
      }
      #expect(drained)
      leases[left.lease].lease(to: "nobody")
      free.append(left.lease)
      // Requests go on between the changes, at whatever pace the machine has.
      guard change % 100 == 99 else { continue }
      #expect(try await eventually { tally.answered.load(ordering: .relaxed) > change + 1 })
    }
    tally.stop.store(true, ordering: .releasing)
    await load
    #expect(tally.wrong.withLock { $0 } == [])
    #expect(tally.answered.load(ordering: .relaxed) > 1000)
    try await router.stop()
  }

  @Test("a request in flight ends on the instance that left, and the report counts it until then")
  func draining() async throws {
    let mayAnswer = Atomic<Bool>(false)
    let old = try TestBackend { line, backend in
      backend.note(try line.message())
      while !mayAnswer.load(ordering: .acquiring) { usleep(1000) }
      try line.write(ok("old"))
      _ = try line.toEnd()
    }
    let new = try TestBackend { _ in ok("new") }
    let router = try await TestRouter([.live("hello", [old.endpoint])])
    let slow = try router.connect()
    try slow.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
    #expect(try await eventually { old.requests.count == 1 })
    _ = try await router.runtime.tables.apply(table([.live("hello", [new.endpoint])], generation: 2))
    #expect(try await blocking { try router.connect().ask("GET", host: "hello.localhost").text } == "new")
    let isCounted = try await eventually {
      let report = await router.runtime.tables.report()
      return report.generation == 2 && report.inFlight == [.init(instance: old.instance, requests: 1)]
    }
    #expect(isCounted)
    mayAnswer.store(true, ordering: .releasing)
    #expect(try await blocking { try slow.message().text } == "old")
    #expect(try await eventually { await router.runtime.tables.report().inFlight.isEmpty })
    try await router.stop()
  }

  @Test("requests are spread over the instances with the fewest in flight")
  func spread() async throws {
    let slow = try TestBackend { line, backend in
      backend.note(try line.message())
      _ = try line.toEnd()  // never answers
    }
    let quick = try TestBackend { _ in ok("quick") }
    try await withRouter([.live("hello", [slow.endpoint, quick.endpoint])]) { router in
      var stuck: [Line] = []
      while slow.requests.isEmpty {
        let line = try router.connect()
        try line.write("GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        stuck.append(line)
        while slow.requests.count + quick.requests.count < stuck.count { usleep(1000) }
      }
      let stuckThere = slow.requests.count
      let line = try router.connect()
      for _ in 0..<50 { #expect(try line.ask("GET", host: "hello.localhost").text == "quick") }
      #expect(slow.requests.count == stuckThere)
      for line in stuck { line.end() }
    }
  }
}
