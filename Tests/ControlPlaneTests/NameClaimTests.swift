import Platform
import Store
import Testing
import Wire

@testable import ControlPlane

@Suite("Who may have which name")
struct NameClaimTests {
  let ann = Account(id: AccountID(), email: "ann@example.com", isAdmin: false)
  let bob = Account(id: AccountID(), email: "bob@example.com", isAdmin: false)
  let root = Account(id: AccountID(), email: "root@example.com", isAdmin: true)
  let annsApp: App
  let annsOther: App
  let bobsApp: App
  let reserved = ReservedNames(domain: "paas.test", hosts: ["git.example.net", "*.kept.example", "10.0.0.1", ""])

  init() throws {
    annsApp = App(id: AppID(), name: try AppName("hello"))
    annsOther = App(id: AppID(), name: try AppName("other"))
    bobsApp = App(id: AppID(), name: try AppName("bobs"))
  }

  private func held(_ name: String, by app: App, of owner: Account) throws -> DomainRecord {
    let (host, prefix) = try ControlPlane.parse(.init(hostname: name))
    return DomainRecord(
      id: name, app: app, owner: owner.id, host: host, prefix: prefix, strips: false, account: owner, createdAt: .now)
  }

  private func refusal(
    _ name: String, for app: App, by account: Account, among held: [DomainRecord] = []
  ) throws -> ClaimRefusal? {
    let (host, prefix) = try ControlPlane.parse(.init(hostname: name))
    let apps = [(annsApp, ann), (annsOther, ann), (bobsApp, bob)].map { app, owner in
      AppRecord(app: app, owner: owner, uidIndex: 1, createdAt: .now, updatedAt: .now)
    }
    do throws(ClaimRefusal) {
      try NameClaims.check(
        NameClaim(app: app, host: host, prefix: prefix), by: account, among: held, apps: apps,
        reserved: reserved)
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "a free name is anybody's",
    arguments: ["www.example.com", "*.example.com", "example.com/api", "intranet", "kept.example"])
  func free(name: String) throws { #expect(try refusal(name, for: annsApp, by: ann) == nil) }

  @Test("a host belongs to one app, whoever asks")
  func taken() throws {
    let www = try held("www.example.com", by: annsApp, of: ann)
    #expect(try refusal("WWW.example.com.", for: annsApp, by: ann, among: [www]) == .held)
    for account in [ann, root] {
      #expect(
        try refusal("www.example.com", for: annsOther, by: account, among: [www])
          == .taken(by: annsApp, owner: ann.id, name: "www.example.com"))
    }
    #expect(
      try refusal("www.example.com", for: bobsApp, by: bob, among: [www])
        == .taken(by: annsApp, owner: ann.id, name: "www.example.com"))
  }

  @Test("only who may change both apps shares a host between them")
  func mounts() throws {
    let www = try held("www.example.com", by: annsApp, of: ann)
    #expect(try refusal("www.example.com/api", for: annsOther, by: ann, among: [www]) == nil)
    #expect(try refusal("www.example.com/api", for: bobsApp, by: root, among: [www]) == nil)
    let overlap = ClaimRefusal.overlaps(annsApp, owner: ann.id, name: "www.example.com")
    #expect(try refusal("www.example.com/api", for: bobsApp, by: bob, among: [www]) == overlap)
    let path = try held("www.example.com/api", by: annsApp, of: ann)
    #expect(try refusal("www.example.com", for: bobsApp, by: bob, among: [path]) != nil)
    #expect(try refusal("www.example.com/api/v2", for: bobsApp, by: bob, among: [path]) != nil)
  }

  @Test("a wildcard and a name below it clash in either order, unless both are one person's")
  func wildcards() throws {
    let all = try held("*.example.com", by: annsApp, of: ann)
    for name in ["a.example.com", "a.b.example.com", "*.b.example.com", "a.example.com/x"] {
      let below = try held(name, by: annsApp, of: ann)
      #expect(try refusal(name, for: bobsApp, by: bob, among: [all]) != nil, "\(name)")
      #expect(try refusal(name, for: annsOther, by: ann, among: [all]) == nil, "\(name)")
      #expect(try refusal("*.example.com", for: bobsApp, by: bob, among: [below]) != nil, "\(name)")
      #expect(try refusal("*.example.com", for: annsOther, by: ann, among: [below]) == nil, "\(name)")
    }
    #expect(try refusal("example.com", for: bobsApp, by: bob, among: [all]) == nil)
    #expect(try refusal("example.org", for: bobsApp, by: bob, among: [all]) == nil)
  }

  @Test(
    "the platform's names are nobody's, not even an admin's",
    arguments: [
      "paas.test", "*.paas.test", "localhost", "git.example.net", "hello.paas.test", "bobs.paas.test",
      "nobody-yet.paas.test", "*.kept.example", "a.kept.example", "a.b.kept.example/x", "*.b.kept.example",
      "1.paas.test", "*.example.net", "Git.Example.net/x", "paas.test/x",
    ])
  func reserved(name: String) throws {
    for account in [bob, root] { #expect(try refusal(name, for: annsOther, by: account) != nil, "\(name)") }
  }

  @Test("names below a default name are its own app's, and a path of it is its owner's to share")
  func belowDefault() throws {
    #expect(try refusal("a.hello.paas.test", for: annsApp, by: ann) == nil)
    #expect(try refusal("*.hello.paas.test", for: annsApp, by: ann) == nil)
    #expect(try refusal("a.hello.paas.test", for: bobsApp, by: bob) == .reserved)
    #expect(try refusal("hello.paas.test/api", for: annsOther, by: ann) == nil)
    #expect(
      try refusal("hello.paas.test/api", for: bobsApp, by: bob)
        == .overlaps(annsApp, owner: ann.id, name: "hello.paas.test"))
    #expect(try refusal("hello.paas.test", for: annsApp, by: ann) == .held)
  }

  @Test("another app is named only to who may see it")
  func words() throws {
    let host = try DomainName("www.example.com")
    let claim = NameClaim(app: bobsApp, host: host, prefix: nil)
    for refusal in [
      ClaimRefusal.taken(by: annsApp, owner: ann.id, name: "www.example.com"),
      .overlaps(annsApp, owner: ann.id, name: "*.secret.example.com"),
    ] {
      let told = refusal.apiError(claim, for: bob)
      #expect(told.id == "conflict")
      #expect(!(told.message + (told.nextStep ?? "")).contains("hello") && !told.message.contains("secret"))
      #expect(refusal.apiError(claim, for: root).message.contains("the app hello"))
    }
  }
}
