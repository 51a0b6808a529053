import Linux
import Platform
import Testing
import Wire

@testable import Router

@Suite("Which app a request is for")
struct RouteTests {
  private func find(_ routes: RouteSet, _ host: String, _ path: String = "/") -> (name: String, stripped: Int)? {
    guard let host = HostName(host), let entry = routes.snapshot(confirmed: true).find(host) else { return nil }
    let bytes = Array(path.utf8)
    let found = entry.route(for: bytes.span.bytes, ByteRange(start: 0, end: bytes.count))
    return found.map { ($0.route.name.description, $0.stripped) }
  }

  private func app(
    _ name: String, _ hosts: [String], _ mounts: [Mount]? = nil, id: AppID = AppID(), endpoints: [Endpoint] = []
  ) throws -> RoutedApp {
    RoutedApp(id: id, name: try AppName(name), hosts: hosts, state: .live, endpoints: endpoints, mounts: mounts)
  }

  @Test("the exact name wins over a wildcard, the longer wildcard over the shorter, and a wildcard needs a label")
  func wildcards() throws {
    var routes = RouteSet {}
    _ = routes.apply(
      table([
        try app("wide", ["*.example.com"]), try app("deep", ["*.a.example.com"]), try app("exact", ["b.example.com"]),
      ]))
    #expect(find(routes, "x.example.com")?.name == "wide")
    #expect(find(routes, "x.y.example.com")?.name == "wide")
    #expect(find(routes, "x.a.example.com")?.name == "deep")
    #expect(find(routes, "B.Example.com.")?.name == "exact")
    #expect(find(routes, "example.com") == nil && find(routes, "xexample.com") == nil)
    #expect(find(routes, "*.example.com") == nil)
  }

  @Test("the longest prefix of whole segments wins, and only a mount that strips takes its prefix away")
  func mounts() throws {
    var routes = RouteSet {}
    _ = routes.apply(
      table([
        try app("site", ["a.test"]), try app("api", [], [Mount(host: "a.test", prefix: "/api", strips: true)]),
        try app("admin", [], [Mount(host: "a.test", prefix: "/api/admin", strips: false)]),
      ]))
    #expect(find(routes, "a.test", "/apis")?.name == "site")
    for path in ["/api", "/api/", "/api/x", "/api?x=1"] {
      let found = find(routes, "a.test", path)
      #expect(found?.name == "api" && found?.stripped == 4, "\(path)")
    }
    let admin = find(routes, "a.test", "/api/admin/users")
    #expect(admin?.name == "admin" && admin?.stripped == 0)
  }

  @Test("a difference changes what it names and nothing else, and an instance that stays keeps its count")
  func differences() throws {
    let stays = Endpoint(instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: 1))
    let leaves = Endpoint(instance: InstanceID(), name: "web.2", address: Address(host: "127.0.0.1", port: 2))
    let (one, two, three) = (AppID(), AppID(), AppID())
    var routes = RouteSet {}
    _ = routes.apply(
      table([
        try app("one", ["one.test", "both.test"], id: one, endpoints: [stays, leaves]),
        try app("two", ["two.test"], id: two),
        try app("three", ["three.test"], id: three),
      ]))
    var kept: Backend?
    routes.forEachBackend { if $0.endpoint == stays { kept = $0 } }
    kept?.acquire()
    var change = table([try app("one", ["one.test", "new.test"], id: one, endpoints: [stays])], generation: 2)
    change.base = 1
    change.removed = [two]
    let left = routes.apply(change)
    #expect(left.map(\.endpoint) == [leaves] && left.allSatisfy(\.isRetired))
    #expect(find(routes, "new.test")?.name == "one" && find(routes, "three.test")?.name == "three")
    #expect(find(routes, "both.test") == nil && find(routes, "two.test") == nil)
    var counts: [Int] = []
    routes.forEachBackend { counts.append($0.inFlight) }
    #expect(counts == [1])
    let snapshot = routes.snapshot(confirmed: true)
    let slots = Set(["one.test", "three.test"].compactMap { HostName($0).flatMap(snapshot.find)?.route?.slot })
    #expect(slots.count == 2)
  }

  @Test("only who has the whole host may redirect it, not who is mounted there or had it once")
  func redirects() throws {
    func redirecting(_ app: RoutedApp, to: String) -> RoutedApp {
      var (app, settings) = (app, RouteSettings())
      settings.redirects = [Redirect(host: "a.test", to: to, permanent: true)]
      app.settings = settings
      return app
    }
    func target(_ apps: [RoutedApp]) -> String? {
      var routes = RouteSet {}
      _ = routes.apply(table(apps))
      return HostName("a.test").flatMap(routes.snapshot(confirmed: true).find)?.redirect?.to
    }
    let mount = [Mount(host: "a.test", prefix: "/api", strips: false)]
    let ids = [AppID(), AppID()].sorted()
    for (first, second) in [(ids[0], ids[1]), (ids[1], ids[0])] {
      let owner = try app("owner", ["a.test"], id: first)
      let mounted = redirecting(try app("mounted", [], mount, id: second), to: "https://evil.test")
      #expect(target([owner, mounted]) == nil)
      #expect(target([redirecting(owner, to: "https://good.test"), mounted]) == "https://good.test")
      #expect(target([mounted]) == nil)
    }
  }

  @Test("ten thousand hosts are found, each its own")
  func many() throws {
    var routes = RouteSet {}
    _ = routes.apply(table(try (0..<10_000).map { try app("app-\($0)", ["app-\($0).example.com"]) }))
    for number in stride(from: 0, to: 10_000, by: 997) {
      #expect(find(routes, "app-\(number).example.com")?.name == "app-\(number)")
    }
    #expect(find(routes, "app-10000.example.com") == nil)
  }

  @Test("networks hold what is below their prefix, and IPv4 is not IPv6")
  func networks() throws {
    func holds(_ network: String, _ address: String) -> Bool? {
      guard let network = Network(network), let address = IPAddress(address) else { return nil }
      return network.contains(address)
    }
    #expect(holds("192.0.2.0/24", "192.0.2.255") == true && holds("192.0.2.0/24", "192.0.3.0") == false)
    #expect(holds("192.0.2.0/24", "::ffff:192.0.2.1") == true)
    #expect(holds("2001:db8::/32", "2001:db8:ffff::1") == true && holds("2001:db8::/32", "2001:db9::1") == false)
    #expect(holds("10.0.0.7", "10.0.0.7") == true && holds("10.0.0.7", "10.0.0.8") == false)
    #expect(holds("0.0.0.0/0", "8.8.8.8") == true && holds("0.0.0.0/0", "::1") == false)
    for bad in ["", "a", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "10.0.0.0/8/8"] {
      #expect(Network(bad) == nil, "\(bad)")
    }
  }

  @Test("the client is the right-most address that is no trusted proxy")
  func chains() throws {
    let trusted = [try #require(Network("10.0.0.0/8"))]
    #expect(ForwardedChain.client("6.6.6.6, 1.2.3.4 ,10.0.0.1", trusted: trusted) == IPAddress("1.2.3.4"))
    #expect(ForwardedChain.client("6.6.6.6, junk, 10.0.0.1", trusted: trusted) == nil)
    #expect(ForwardedChain.client("10.0.0.1", trusted: trusted) == nil)
  }

  @Test("a difference that the file has no room for is written with the whole table")
  func tableFileFull() throws {
    let directory = try TestRouter.temporaryDirectory()
    let file = TableFile(path: "\(directory)/table.json")
    try file.write(table([], generation: 2))
    var change = table(try (0..<4000).map { try app("app\($0)", ["app\($0).test"]) }, generation: 2)
    var wholes = 0
    for _ in 0..<4 {
      change.base = change.generation
      change.generation += 1
      try file.add(change) {
        wholes += 1
        return table(change.apps, generation: change.generation)
      }
    }
    #expect(wholes > 0)
    let last = try #require(try file.read())
    #expect(last.apps.count == 4000 && last.generation == change.generation)
    try Files.removeTree(directory)
  }

  @Test("hosts that come, change and go are found as they are now")
  func hostTable() throws {
    var table = HostTable()
    let route = Route(try app("one", ["one.test"]), slot: 0, backends: [], gate: Route.Gate())
    func set(_ name: String, _ isThere: Bool) {
      let name = Array(name.utf8)
      table.set(name, isThere ? HostEntry(name: name, route: route, paths: [], redirect: nil) : nil)
    }
    func isFound(_ name: String) throws -> Bool {
      table.find(try #require(HostName(name))) != nil
    }
    #expect(try !isFound("app1.test"))
    for index in 0..<5000 { set("app\(index).test", true) }
    for index in 0..<5000 where index % 10 != 0 { set("app\(index).test", false) }
    for index in 0..<5000 { #expect(try isFound("app\(index).test") == (index % 10 == 0)) }
    set("app1.test", true)
    set("nobody.test", false)
    set("*.wild.test", true)
    #expect(try isFound("app1.test") && !isFound("nobody.test") && !isFound("wild.test"))
    #expect(try isFound("any.wild.test"))
    // A name of its own is no more, and what is above it has it again.
    set("own.wild.test", true)
    set("own.wild.test", false)
    #expect(try isFound("own.wild.test"))
    set("*.wild.test", false)
    #expect(try !isFound("own.wild.test") && !isFound("any.wild.test"))
  }

  @Test("a table file is a whole table and what changed since, and a torn last line does not count")
  func tableFile() throws {
    let directory = try TestRouter.temporaryDirectory()
    let file = TableFile(path: "\(directory)/table.json")
    let (one, two) = (try app("one", ["one.test"]), try app("two", ["two.test"]))
    try file.write(table([one], generation: 5))
    var change = table([two], generation: 6)
    change.base = 5
    try file.add(change) { table([], generation: 99) }
    change.base = 6
    change.generation = 7
    change.apps = []
    change.removed = [one.id]
    try file.add(change) { table([], generation: 99) }
    let whole = try #require(try file.read())
    #expect(whole.apps == [two] && whole.generation == 7)
    let bytes = try Files.read(file.path)
    let text = bytes.prefix { $0 != 0 }
    #expect(bytes.count - text.count > 1000, "there is room for more")
    for torn in [Array(text.dropLast(9)), text.dropLast(9) + [UInt8](repeating: 0, count: 4096)] {
      try Files.writeDurably(torn, to: file.path, mode: 0o600)
      let rest = try #require(try file.read())
      #expect(Set(rest.apps.map(\.id)) == [one.id, two.id] && rest.generation == 6)
    }
    try Files.removeTree(directory)
  }
}
