import Linux
import Platform
import Testing
import Wire

@testable import ControlPlane

@Suite("What each router has, and what it is sent")
struct RouterBookTests {
  let start = ContinuousClock.now
  let old = ProcessIdentity(pid: 10, startTime: 1)
  let new = ProcessIdentity(pid: 11, startTime: 2)

  private func app(_ name: String, port: Int = 1, id: AppID = AppID()) throws -> RoutedApp {
    let endpoint = Endpoint(instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: port))
    return RoutedApp(
      id: id, name: try AppName(name), hosts: ["\(name).localhost"], state: .live, endpoints: [endpoint])
  }

  private func report(_ generation: UInt64, _ router: String?, leaving: Bool? = nil, _ inFlight: [InstanceID] = [])
    -> RouterReport
  {
    RouterReport(
      generation: generation, inFlight: inFlight.map { .init(instance: $0, requests: 1) }, router: router,
      leaving: leaving)
  }

  /// Polls and acknowledges, as a router does.
  private func follow(
    _ book: inout RouterBook, _ name: String, at known: UInt64, change: UInt64, from process: ProcessIdentity? = nil
  ) -> UInt64 {
    let speaker = RouterBook.Speaker(router: name, process: process)
    let (_, base) = book.asked(speaker, after: known, at: start)
    book.gave(change, to: speaker)
    book.accept(report(base + change, name), from: process, at: start)
    return base + change
  }

  @Test("a change is in force when every router that takes connections says so")
  func everyRouter() {
    var book = RouterBook()
    #expect(book.inForce(1) == nil)
    let a = follow(&book, "a", at: 7, change: 1)
    #expect(book.inForce(1) == true)
    book.accept(report(40, "b"), from: nil, at: start)
    #expect(book.inForce(1) == false)
    _ = follow(&book, "b", at: 40, change: 1)
    #expect(book.inForce(1) == true)
    #expect(book.inForce(2) == false)
    book.accept(report(a, "a", leaving: true, [InstanceID()]), from: nil, at: start)
    _ = follow(&book, "b", at: 41, change: 2)
    #expect(book.inForce(2) == true)
  }

  @Test("a number that we did not give acknowledges nothing")
  func foreignNumbers() {
    var book = RouterBook()
    _ = follow(&book, "a", at: 7, change: 3)
    // As from an older table on disk: between the base and what was given to another router.
    book.accept(report(9, "b"), from: nil, at: start)
    #expect(book.inForce(1) == false)
    book.accept(report(900, "b"), from: nil, at: start)
    #expect(book.inForce(1) == false)
    let (change, base) = book.asked(.init(router: "b"), after: 900, at: start)
    #expect(change == nil && base == 900)
  }

  @Test("who is leaving holds back what its table still has, until it has the new one or its process ends")
  func leaving() {
    var book = RouterBook()
    let instance = InstanceID()
    _ = follow(&book, "a", at: 7, change: 1, from: old)
    _ = follow(&book, "b", at: 7, change: 1, from: new)
    #expect(book.isReleased(1))
    book.accept(report(8, "a", leaving: true, [instance]), from: old, at: start)
    _ = follow(&book, "b", at: 8, change: 2, from: new)
    #expect(book.inForce(2) == true && !book.isReleased(2) && !book.isDrained([instance]))
    // Idle for a moment: it still has clients, and routes what they ask.
    book.accept(report(8, "a", leaving: true), from: old, at: start)
    book.forget(at: start + .seconds(91)) { _ in true }
    #expect(book.entries.map(\.speaker.router) == ["a", "b"] && !book.isReleased(2))
    var acknowledged = book
    let speaker = RouterBook.Speaker(router: "a", process: old)
    _ = acknowledged.asked(speaker, after: 8, at: start)
    acknowledged.gave(2, to: speaker)
    acknowledged.accept(report(9, "a", leaving: true), from: old, at: start)
    #expect(acknowledged.isReleased(2))
    book.forget(at: start) { $0 != old }
    #expect(book.entries.map(\.speaker.router) == ["b"] && book.isReleased(2))
  }

  @Test("no table is in force nowhere, also at a router that was never heard of")
  func nothing() {
    var book = RouterBook()
    book.expect(new, at: start)
    #expect(!book.inForce(0, at: new) && book.inForce(0) == false && !book.isReleased(0))
    book.accept(report(0, "b"), from: new, at: start)
    #expect(!book.inForce(0, at: new) && book.inForce(0) == false)
  }

  @Test("a silent router without a process is forgotten after 90 s, one with a process when that is gone")
  func silence() {
    var book = RouterBook()
    book.accept(report(1, "a"), from: nil, at: start)
    book.accept(report(1, "b"), from: old, at: start)
    book.forget(at: start + .seconds(89)) { _ in true }
    #expect(book.entries.count == 2)
    book.forget(at: start + .seconds(91)) { _ in true }
    #expect(book.entries.map(\.speaker.router) == ["b"])
    book.forget(at: start + .seconds(91)) { _ in false }
    #expect(book.entries.isEmpty)
  }

  @Test("a router that was just started holds back what it may not have yet")
  func expected() {
    var book = RouterBook()
    _ = follow(&book, "a", at: 7, change: 1)
    book.expect(new, at: start)
    #expect(book.inForce(1) == false)
    book.accept(report(7, "b"), from: new, at: start)
    #expect(book.entries.count == 2)
    #expect(book.inForce(1) == false && !book.inForce(1, at: new))
    let speaker = RouterBook.Speaker(router: "b", process: new)
    let (_, base) = book.asked(speaker, after: 7, at: start)
    book.gave(1, to: speaker)
    book.accept(report(base + 1, "b"), from: new, at: start)
    #expect(book.inForce(1) == true && book.inForce(1, at: new))
  }

  @Test("routers that do not say their names are told apart by their processes")
  func nameless() {
    var book = RouterBook()
    let (instance, other) = (InstanceID(), InstanceID())
    book.accept(report(3, nil, leaving: nil, [instance]), from: old, at: start)
    book.accept(report(3, nil, leaving: nil, [other]), from: new, at: start)
    #expect(book.entries.count == 2)
    #expect(!book.isDrained([instance]) && !book.isDrained([other]))
  }

  @Test("no report makes the book grow without end, and no number overflows it")
  func hostile() {
    var book = RouterBook()
    for number in 0..<100 { book.accept(report(.max, "r\(number)"), from: nil, at: start + .seconds(number)) }
    #expect(book.entries.count == 16)
    let (change, base) = book.asked(.init(router: "r99"), after: .max, at: start)
    #expect(change == nil && base < UInt64.max)
    book.accept(
      RouterReport(
        generation: 1,
        inFlight: [.init(instance: InstanceID(), requests: .max), .init(instance: InstanceID(), requests: -5)],
        router: "r99"), from: nil, at: start)
  }

  @Test("what changed since a table is told without the rest")
  func differences() throws {
    var history = RouteHistory()
    let (one, two, three) = (try app("one"), try app("two"), try app("three"))
    let (isNew, isSame) = (history.publish([one, two]), history.publish([two, one]))
    #expect(isNew && !isSame)
    #expect(history.change == 1)
    var moved = two
    moved.state = .maintenance
    _ = history.publish([one, moved, three])
    #expect(history.difference(since: 1)?.changed == [three, moved])
    #expect(history.difference(since: 1)?.removed == [])
    _ = history.publish([moved])
    let since1 = try #require(history.difference(since: 1))
    #expect(since1.changed == [moved] && Set(since1.removed) == [one.id, three.id])
    #expect(history.difference(since: 3)?.changed.isEmpty == true)
    #expect(history.difference(since: 0) == nil && history.difference(since: 4) == nil)
    _ = history.publish([moved, three])
    #expect(history.difference(since: 1)?.removed == [one.id])
    #expect(history.whole == [three, moved])
  }

  @Test("who is too far behind gets everything")
  func horizon() throws {
    var history = RouteHistory()
    let stays = try app("stays")
    _ = history.publish([stays])
    for _ in 0..<RouteHistory.removalsKept + 10 {
      _ = history.publish([stays, try app("goes")])
      _ = history.publish([stays])
    }
    #expect(history.difference(since: 1) == nil)
    #expect(history.difference(since: history.change - 2)?.removed.count == 1)
  }

  @Test("differences put on the table that a router has are the table that is out")
  func replay() throws {
    var history = RouteHistory()
    var random = SystemRandomNumberGenerator()
    var apps = try (0..<20).map { try app("app\($0)x") }
    _ = history.publish(apps)
    var (known, has) = (history.change, Dictionary(uniqueKeysWithValues: history.whole.map { ($0.id, $0) }))
    for round in 0..<200 {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: apps.append(try app("new\(round)x"))
      case 1: if !apps.isEmpty { apps.remove(at: Int.random(in: apps.indices, using: &random)) }
      default: if !apps.isEmpty { apps[Int.random(in: apps.indices, using: &random)].hosts.append("h\(round)") }
      }
      _ = history.publish(apps)
      guard round % 3 == 0 else { continue }
      let difference = try #require(history.difference(since: known))
      for id in difference.removed { has[id] = nil }
      for app in difference.changed { has[app.id] = app }
      known = history.change
      #expect(Set(has.values.map(\.id)) == Set(apps.map(\.id)))
      #expect(apps.allSatisfy { has[$0.id] == $0 })
    }
  }

  @Test("only a router that says who it is, and has what it was sent last, is sent a difference")
  func onTheWire() async throws {
    let routes = Routes(installation: InstallationID(), bootID: "boot")
    let (one, two) = (try app("one"), try app("two"))
    _ = await routes.publish([one])
    let first = try #require(await routes.table(after: 5, router: "a", within: .seconds(1)))
    #expect(first.base == nil && first.generation == 6 && first.apps == [one])
    _ = await routes.publish([one, two])
    let second = try #require(await routes.table(after: 6, router: "a", within: .seconds(1)))
    #expect(second.base == 6 && second.generation == 7 && second.apps == [two] && second.removed == [])
    #expect(await routes.table(after: 0, router: "a", within: .seconds(1))?.base == nil)
    let nameless = await routes.table(after: 5, within: .seconds(1))
    #expect(nameless?.base == nil && nameless?.apps.count == 2)
    #expect(await routes.table(after: 7, router: "a", within: .milliseconds(10)) == nil)
  }

  @Test("one change among ten thousand apps is a few hundred bytes on the wire")
  func tenThousand() async throws {
    let routes = Routes(installation: InstallationID(), bootID: "boot")
    var apps = try (0..<10_000).map { try app("app-\($0)") }
    _ = await routes.publish(apps)
    let first = try #require(await routes.table(after: 1, router: "a", within: .seconds(1)))
    apps[5000].endpoints = [
      Endpoint(instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: 2))
    ]
    _ = await routes.publish(apps)
    let next = try #require(await routes.table(after: first.generation, router: "a", within: .seconds(1)))
    #expect(next.apps == [apps[5000]] && next.base == first.generation)
    #expect(try Wire.encode(next).count < 1000)
  }
}
