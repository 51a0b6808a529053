import Foundation
import Platform
import Store
import Testing
import Wire

@testable import ControlPlane

// Names and settings from the API's side to the table that the router is sent.
@Suite struct RoutingTests {
  private func routed(_ here: Installation, _ app: String = "hello") async throws -> RoutedApp {
    let table = try #require(await here.plane.routingTable(after: 0))
    return try #require(table.apps.first { $0.name.description == app })
  }

  private func error(_ work: () async throws -> Void) async -> APIError? {
    do {
      try await work()
      return nil
    } catch { return error as? APIError }
  }

  @Test("a domain is in the table when the command returns, and gone when it is removed")
  func domain() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let made = try await here.plane.addDomain("hello", DomainCreate(hostname: "WWW.Example.com."), by: here.admin)
    #expect(made.hostname == "www.example.com" && made.kind == "custom")
    #expect(try await routed(here).hosts == ["hello.localhost", "www.example.com"])
    _ = try await here.plane.addDomain(
      "hello", DomainCreate(hostname: "a.example.com/api", strip: true), by: here.admin)
    #expect(try await routed(here).mounts == [Mount(host: "a.example.com", prefix: "/api", strips: true)])
    #expect(try await here.plane.domains("hello", by: here.admin).map(\.kind) == ["default", "custom", "custom"])
    _ = try await here.plane.removeDomain("hello", "www.example.com", by: here.admin)
    #expect(try await routed(here).hosts == ["hello.localhost"])
    #expect(try await here.plane.clearDomains("hello", by: here.admin).map(\.hostname) == ["a.example.com"])
    #expect(try await routed(here).mounts == nil)
    let gone = await error { _ = try await here.plane.removeDomain("hello", "www.example.com", by: here.admin) }
    #expect(gone?.id == "not_found")
  }

  @Test("a claim that clashes is refused and written down; of many at once one gets the name")
  func clash() async throws {
    let here = try await Installation()
    defer { here.end() }
    var apps: [AppID] = []
    for number in 0..<8 { apps.append(try await here.create("app\(number)")) }
    let winners = await withTaskGroup(of: Bool.self) { group in
      for number in apps.indices {
        group.addTask {
          let wanted = DomainCreate(hostname: "www.example.com")
          return (try? await here.plane.addDomain("app\(number)", wanted, by: here.admin)) != nil
        }
      }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(winners == 1)
    let held = try await here.store.read { try $0.domains() }
    #expect(held.count == 1)
    let loser = try #require(apps.first { $0 != held.first?.app.id })
    let failures = try await here.store.read { try $0.failures(of: loser) }
    #expect(failures.map(\.code) == [.nameClash])
    #expect(failures.first?.message.contains("www.example.com") == true)
    let refused = await error {
      _ = try await here.plane.addDomain(loser.description, DomainCreate(hostname: "localhost"), by: here.admin)
    }
    #expect(refused?.id == "conflict")
  }

  @Test("a refused claim is written down once an hour, however often it is made")
  func repeated() async throws {
    let here = try await Installation()
    defer { here.end() }
    let (holder, claimant) = (try await here.create("holder"), try await here.create("claimant"))
    _ = try await here.plane.addDomain("holder", DomainCreate(hostname: "*.example.com"), by: here.admin)
    _ = try await here.plane.addDomain("holder", DomainCreate(hostname: "www.example.com"), by: here.admin)
    for _ in 0..<20 {
      let wanted = DomainCreate(hostname: "www.example.com")
      #expect(await error { _ = try await here.plane.addDomain("claimant", wanted, by: here.admin) }?.id == "conflict")
    }
    #expect(try await here.store.read { try $0.failures(of: claimant) }.count == 1)
    let log = try String(contentsOfFile: "\(here.directory)/logs/\(holder)/paas.log", encoding: .utf8)
    #expect(log.components(separatedBy: "Another app's claim").count == 2)
  }

  @Test("an app has a bounded number of domains, and an account a bounded size of settings")
  func bounded() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    let admin = here.admin
    try await here.store.write { ledger in
      for number in 0..<RouteRules.domainsKept {
        _ = try ledger.addDomain(
          try DomainName("d\(number).example.com"), prefix: nil, strips: false, app: app, by: admin)
      }
    }
    let full = await error {
      _ = try await here.plane.addDomain("hello", DomainCreate(hostname: "more.example.com"), by: here.admin)
    }
    #expect(full?.id == "invalid_params" && full?.message.contains("100") == true)
    let large = Array(repeating: UInt8(ascii: "x"), count: RouteRules.pageLimit)
    var refused: APIError?
    var apps = 0
    while refused == nil, apps < 100 {
      apps += 1
      _ = try await here.create("page\(apps)")
      refused = await error { _ = try await here.plane.setPage("page\(apps)", .error, html: large, by: here.admin) }
    }
    #expect(refused?.id == "invalid_params" && apps == RouteRules.accountLimit / RouteRules.pageLimit)
    _ = try await here.plane.setPage("page1", .error, html: nil, by: here.admin)
    _ = try await here.plane.setPage("page\(apps)", .error, html: large, by: here.admin)
  }

  @Test("a host that an app gives up takes its redirect with it")
  func redirectsGo() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    for host in ["a.example.com", "b.example.com"] {
      _ = try await here.plane.addDomain("hello", DomainCreate(hostname: host), by: here.admin)
      let redirect = RedirectResource(from: host, to: "https://example.org", permanent: true)
      _ = try await here.plane.addRedirect("hello", redirect, by: here.admin)
    }
    let kept = RedirectResource(from: "hello.localhost", to: "https://example.org", permanent: true)
    _ = try await here.plane.addRedirect("hello", kept, by: here.admin)
    _ = try await here.plane.removeDomain("hello", "a.example.com", by: here.admin)
    #expect(
      try await here.plane.routing("hello", by: here.admin).redirects.map(\.from) == [
        "b.example.com", "hello.localhost",
      ])
    _ = try await here.plane.clearDomains("hello", by: here.admin)
    #expect(try await here.plane.routing("hello", by: here.admin).redirects.map(\.from) == ["hello.localhost"])
  }

  @Test("settings that cannot be read shut their app and no other, and it can be destroyed")
  func unreadable() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    _ = try await here.create("other")
    try await here.store.write { ledger in
      try ledger.setRouteSettings(RouteSettingsRecord(settings: #"{"users":7}"#), of: app)
    }
    _ = try await here.plane.setMaintenance("other", true, by: here.admin)
    #expect(try await routed(here, "other").state == .maintenance)
    let shut = try await routed(here)
    #expect(shut.state == .maintenance && shut.settings == nil)
    _ = try await here.plane.addDomain("hello", DomainCreate(hostname: "www.example.com"), by: here.admin)
    _ = try await here.plane.removeDomain("hello", "www.example.com", by: here.admin)
    _ = try await here.plane.destroyApp("hello", by: here.admin)
  }

  @Test("names that became the platform's since they were claimed are served no more")
  func stale() async throws {
    let here = try await Installation()
    defer { here.end() }
    for name in ["hello", "other"] { _ = try await here.create(name) }
    for name in [
      "hello.new.test", "other.new.test/x", "a.other.new.test", "*.example.com", "kept.example.org", "a.hello.new.test",
      "x.kept.test",
    ] { _ = try await here.plane.addDomain("hello", DomainCreate(hostname: name), by: here.admin) }
    let (wishes, apps) = try await here.store.read { (try $0.routeWishes(), try $0.apps()) }
    func stale(_ domain: String, _ hosts: [String], admin: Bool) -> [String] {
      var wishes = wishes
      for wish in wishes.indices {
        for index in wishes[wish].domains.indices { wishes[wish].domains[index].account.isAdmin = admin }
      }
      let reserved = ReservedNames(domain: domain, hosts: hosts)
      return RouteTable.stale(wishes, apps: apps, reserved: reserved).map(\.shown).sorted()
    }
    #expect(stale("localhost", [], admin: false).isEmpty)
    #expect(stale("new.test", [], admin: true) == ["hello.new.test"])
    #expect(stale("new.test", [], admin: false) == ["a.other.new.test", "hello.new.test"])
    #expect(stale("paas.example.com", [], admin: true) == ["*.example.com"])
    #expect(
      stale("localhost", ["*.kept.test", "kept.example.org", "10.0.0.1"], admin: true) == [
        "kept.example.org", "x.kept.test",
      ])
    let table = RouteTable.apps(
      wishes, instances: [], domain: "new.test", without: Set(wishes.flatMap(\.domains).map(\.id)))
    #expect(
      table.flatMap(\.hosts).sorted() == ["hello.new.test", "other.new.test"] && table.allSatisfy { $0.mounts == nil })
  }

  @Test("the default name can be looked at, and stays")
  func defaultName() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    for name in ["hello.localhost", "HELLO.localhost.", app.description] {
      #expect(try await here.plane.domain("hello", name, by: here.admin).kind == "default")
      let refused = await error { _ = try await here.plane.removeDomain("hello", name, by: here.admin) }
      #expect(refused?.id == "conflict" && refused?.message.contains("stays") == true)
    }
  }

  @Test("destroying an app frees its names, and takes what was mounted on its default name with it")
  func destroyed() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    _ = try await here.create("other")
    _ = try await here.plane.addDomain("hello", DomainCreate(hostname: "www.example.com"), by: here.admin)
    _ = try await here.plane.addDomain("other", DomainCreate(hostname: "hello.localhost/api"), by: here.admin)
    _ = try await here.plane.destroyApp("hello", by: here.admin)
    _ = try await here.plane.addDomain("other", DomainCreate(hostname: "www.example.com"), by: here.admin)
    #expect(try await routed(here, "other").hosts == ["other.localhost", "www.example.com"])
    #expect(try await routed(here, "other").mounts == nil)
  }

  @Test("maintenance mode and settings are in the table, and make no release")
  func settings() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    try await here.push()
    #expect(try await here.plane.setMaintenance("hello", true, by: here.admin).maintenance == true)
    #expect(try await routed(here).state == .maintenance)
    #expect(try await here.plane.setMaintenance("hello", false, by: here.admin).maintenance == false)
    #expect(try await routed(here).state == .live)
    var update = RoutingUpdate()
    update.balancing = "round-robin"
    update.sticky = true
    update.body_limit = 10 << 20
    update.idle_seconds = 100
    _ = try await here.plane.updateRouting("hello", update, by: here.admin)
    var wanted = RouteSettings()
    wanted.balancing = .roundRobin
    wanted.sticky = true
    wanted.bodyLimit = 10 << 20
    wanted.idleSeconds = 100
    #expect(try await routed(here).settings == wanted)
    var back = RoutingUpdate()
    back.unset = ["balancing", "sticky", "body_limit", "idle_seconds"]
    _ = try await here.plane.updateRouting("hello", back, by: here.admin)
    #expect(try await routed(here).settings == nil)
    #expect(try await here.store.read { try $0.releases(of: app) }.count == 1)
  }

  @Test("what the router could not use is refused")
  func refused() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let updates: [(inout RoutingUpdate) -> Void] = [
      { $0.balancing = "random" }, { $0.body_limit = 0 }, { $0.concurrency = -1 }, { $0.queue = .max },
      { $0.first_byte_seconds = 0 }, { $0.idle_seconds = 1 << 40 }, { $0.unset = ["users"] },
    ]
    for change in updates {
      var update = RoutingUpdate()
      change(&update)
      let asked = update
      let refused = await error { _ = try await here.plane.updateRouting("hello", asked, by: here.admin) }
      #expect(refused?.id == "invalid_params", "\(update)")
    }
    for (from, to) in [
      ("www.example.com", "https://example.com"), ("hello.localhost", "https://example.com/path"),
      ("hello.localhost", "ftp://example.com"), ("hello.localhost", "https://exa mple.com"),
      ("hello.localhost", "https://example.com:0"), ("hello.localhost", "http://hello.localhost"),
      ("hello.localhost", "https://hello.localhost"), ("hello.localhost", "http://Hello.localhost:8080"),
      ("hello.localhost", "https://a\r\nSet-Cookie: x"), ("hello.localhost", "https://user@example.com"),
    ] {
      let redirect = RedirectResource(from: from, to: to, permanent: true)
      let refused = await error { _ = try await here.plane.addRedirect("hello", redirect, by: here.admin) }
      #expect(refused?.id == "invalid_params", "\(from) \(to)")
    }
    let pages: [[UInt8]] = [
      [], [0xFF], [65, 0], [65, 1], [27, 65], [65, 0x7F], Array(repeating: 65, count: RouteRules.pageLimit + 1),
    ]
    for page in pages {
      #expect(await error { _ = try await here.plane.setPage("hello", .error, html: page, by: here.admin) } != nil)
    }
    #expect(try await routed(here).settings == nil)
  }

  @Test("redirects, users, networks and pages reach the router")
  func gates() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    let redirect = RedirectResource(from: "HELLO.localhost", to: "https://Example.com/", permanent: true)
    #expect(try await here.plane.addRedirect("hello", redirect, by: here.admin).to == "https://example.com")
    let made = try await here.plane.addUser("hello", BasicUserResource(name: "ann"), by: here.admin)
    let given = BasicUserResource(name: "bob", password: "correct horse")
    #expect(try await here.plane.addUser("hello", given, by: here.admin).password == nil)
    let list = try await here.plane.allowNetworks("hello", ["192.0.2.9/24", "192.0.2.0/24", "::1"], by: here.admin)
    #expect(list.networks == ["192.0.2.0/24", "::1"])
    _ = try await here.plane.setPage("hello", .maintenance, html: Array("<h1>soon</h1>".utf8), by: here.admin)
    let settings = try #require(try await routed(here).settings)
    #expect(settings.redirects == [Redirect(host: "hello.localhost", to: "https://example.com", permanent: true)])
    #expect(settings.maintenancePage == "<h1>soon</h1>" && settings.errorPage == nil)
    let users = try #require(settings.users)
    #expect(users.map(\.name) == ["ann", "bob"] && users.allSatisfy { $0.rounds == 60_000 && $0.salt.count == 32 })
    for (user, password) in zip(users, [try #require(made.password), "correct horse"]) {
      let salt = stride(from: 0, to: 32, by: 2).compactMap { UInt8(user.salt.dropFirst($0).prefix(2), radix: 16) }
      #expect(try RouteRules.hash(password, salt: salt, rounds: user.rounds) == user.hash)
    }
    let stored = try await here.store.read { try $0.routeSettings() }.values.map(\.settings).joined()
    #expect(!stored.contains("correct horse") && !stored.contains(made.password ?? "-"))
    _ = try await here.plane.removeUser("hello", "ann", by: here.admin)
    _ = try await here.plane.removeUser("hello", "bob", by: here.admin)
    _ = try await here.plane.clearNetworks("hello", by: here.admin)
    _ = try await here.plane.removeRedirect("hello", "hello.localhost", by: here.admin)
    _ = try await here.plane.setPage("hello", .maintenance, html: nil, by: here.admin)
    #expect(try await routed(here).settings == nil)
  }

  @Test("PBKDF2 is RFC 8018's: the vectors of RFC 7914 section 11")
  func pbkdf2() throws {
    #expect(
      try RouteRules.hash("passwd", salt: Array("salt".utf8), rounds: 1)
        == "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc")
    #expect(
      try RouteRules.hash("Password", salt: Array("NaCl".utf8), rounds: 80_000)
        == "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56")
  }

  @Test("without a router a change is stored and says that it is not in force")
  func noRouter() async throws {
    let here = try await Installation(router: false)
    defer { here.end() }
    _ = try await here.create()
    let refused = await error { _ = try await here.plane.setMaintenance("hello", true, by: here.admin) }
    #expect(refused?.id == "unavailable")
    #expect(try await here.plane.app("hello", by: here.admin).maintenance == true)
    let lost = await error {
      _ = try await here.plane.addUser("hello", BasicUserResource(name: "ann"), by: here.admin)
    }
    #expect(lost?.next?.contains("auth:add ann` again") == true)
  }

  @Test("while an instance starts and none is up, the app is starting and not crashed")
  func starting() throws {
    let (app, launch) = (App(id: AppID(), name: try AppName("hello")), LaunchID())
    func instance(_ index: Int, _ state: Instance.State) -> Instance {
      Instance(
        id: InstanceID(), key: WorkloadKey(app: app.id, launch: launch, process: .web), index: index,
        release: ReleaseVersion(1), state: state, address: Address(host: "127.0.0.1", port: index))
    }
    let wish = RouteWish(
      app: app, isDeployed: true, web: FormationRecord(type: .web, quantity: 2, launch: launch))
    func state(_ instances: [Instance]) -> RoutedApp.State? {
      RouteTable.apps([wish], instances: instances, domain: "localhost").first?.state
    }
    let crashed = Instance.State.crashed(status: 1, at: .now)
    #expect(state([instance(1, .starting), instance(2, crashed)]) == .starting)
    #expect(state([instance(1, .starting), instance(2, .up(since: .now))]) == .live)
    #expect(state([instance(1, crashed), instance(3, .starting)]) == .crashed)
  }

  @Test("a name of which only a path is claimed stays, for the rest, the narrowest wildcard's above it")
  func belowWildcards() async throws {
    let here = try await Installation()
    defer { here.end() }
    for name in ["wide", "narrow", "deep"] { _ = try await here.create(name) }
    for (app, name) in [
      ("wide", "*.example.com"), ("narrow", "*.b.example.com"), ("deep", "a.example.com/api"),
      ("deep", "a.b.example.com/api"), ("deep", "*.b.example.com/x"), ("deep", "other.test/api"),
    ] { _ = try await here.plane.addDomain(app, DomainCreate(hostname: name), by: here.admin) }
    #expect(try await routed(here, "wide").hosts == ["wide.localhost", "*.example.com", "a.example.com"])
    #expect(try await routed(here, "narrow").hosts == ["narrow.localhost", "*.b.example.com", "a.b.example.com"])
    #expect(try await routed(here, "deep").hosts == ["deep.localhost"])
    #expect(try await routed(here, "deep").mounts?.count == 4)
  }
}
