import Foundation
import Platform
import Store
import Synchronization
import Testing
import Wire

@testable import ControlPlane

@Suite struct RollbackChoiceTests {
  let a = try? SlugDigest(String(repeating: "a", count: 64))
  let b = try? SlugDigest(String(repeating: "b", count: 64))

  func release(_ number: Int, _ slug: SlugDigest?, _ status: ReleaseStatus = .succeeded) -> RollbackCandidate {
    RollbackCandidate(version: ReleaseVersion(number), status: status, slug: slug, config: [:])
  }

  func pick(_ wanted: Int?, _ all: [RollbackCandidate], current: Int?) -> Result<Int, RollbackChoice.Refusal> {
    do throws(RollbackChoice.Refusal) {
      let version = try RollbackChoice.pick(
        wanted.map(ReleaseVersion.init(_:)), from: all, current: current.map(ReleaseVersion.init(_:)))
      return .success(version.number)
    } catch {
      return .failure(error)
    }
  }

  @Test("without a version it is the last good release that differs from the live one")
  func last() {
    let all = [release(1, a), release(2, b), release(3, b, .failed), release(4, b), release(5, b)]
    #expect(pick(nil, all, current: 5) == .success(1))
    #expect(pick(nil, all, current: 1) == .failure(.noEarlier))
    #expect(pick(nil, all, current: nil) == .failure(.nothingLive))
  }

  @Test("a version that cannot run is refused with the reason")
  func refused() {
    let all = [release(1, nil), release(2, a, .failed), release(3, a)]
    #expect(pick(1, all, current: 3) == .failure(.neverDeployed(ReleaseVersion(1))))
    #expect(pick(2, all, current: 3) == .failure(.failed(ReleaseVersion(2))))
    #expect(pick(3, all, current: 3) == .failure(.isCurrent(ReleaseVersion(3))))
    #expect(pick(9, all, current: 3) == .failure(.unknown(ReleaseVersion(9))))
  }
}

@Suite struct RouteTests {
  func routed(_ port: Int) -> [RoutedApp] {
    guard let name = try? AppName("hello") else { return [] }
    let endpoint = Endpoint(instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: port))
    return [RoutedApp(id: AppID(), name: name, hosts: ["hello.localhost"], state: .live, endpoints: [endpoint])]
  }

  @Test("a router that outlived the server gets a number that it has not seen")
  func numbers() async {
    let routes = Routes(installation: InstallationID(), bootID: "boot")
    let first = await routes.publish(routed(1))
    await routes.accept(RouterReport(generation: 41, inFlight: []))
    let table = await routes.table(after: 41, within: .seconds(1))
    #expect(table?.generation == 42)
    await routes.accept(RouterReport(generation: 42, inFlight: []))
    #expect(await routes.inForce(first))
    _ = await routes.publish(routed(2))
    #expect(await routes.table(after: 42, within: .seconds(1))?.generation == 43)
    #expect(await routes.table(after: 43, within: .milliseconds(10)) == nil)
  }

  @Test("a table that did not change keeps its number, and a poll is answered when it changes")
  func polls() async {
    let routes = Routes(installation: InstallationID(), bootID: "boot")
    let apps = routed(1)
    let (one, two) = (await routes.publish(apps), await routes.publish(apps))
    #expect(one == two)
    let known = await routes.table(after: 0, within: .seconds(1))?.generation ?? 0
    async let next = routes.table(after: known, within: .seconds(20))
    _ = await routes.publish(routed(2))
    #expect(await next?.generation == known + 1)
  }

  @Test("an instance is drained when the router reports nothing in flight there")
  func drains() async {
    let routes = Routes(installation: InstallationID(), bootID: "boot")
    let instance = InstanceID()
    await routes.accept(RouterReport(generation: 1, inFlight: [.init(instance: instance, requests: 2)]))
    #expect(await routes.drained([instance], within: .milliseconds(20)) == false)
    async let drained = routes.drained([instance], within: .seconds(20))
    await routes.accept(RouterReport(generation: 1, inFlight: []))
    #expect(await drained)
  }

  @Test("only instances of the current launch that are up and wanted are routed to")
  func table() throws {
    let (app, launch) = (App(id: AppID(), name: try AppName("hello")), LaunchID())
    func instance(_ index: Int, _ launch: LaunchID, _ state: Instance.State) -> Instance {
      Instance(
        id: InstanceID(), key: WorkloadKey(app: app.id, launch: launch, process: .web), index: index,
        release: ReleaseVersion(1), state: state, address: Address(host: "127.0.0.1", port: index))
    }
    let up = Instance.State.up(since: .now)
    let instances = [
      instance(3, launch, up), instance(1, launch, up), instance(2, launch, .starting), instance(1, LaunchID(), up),
    ]
    func state(_ wish: RouteWish) -> (RoutedApp.State?, [String]) {
      let routed = RouteTable.apps([wish], instances: instances, domain: "Example.COM").first
      return (routed?.state, routed?.endpoints.map(\.name) ?? [])
    }
    let two = FormationRecord(type: .web, quantity: 2, launch: launch)
    #expect(state(RouteWish(app: app, isDeployed: true, web: two)) == (.live, ["web.1"]))
    let gone = FormationRecord(type: .web, quantity: 1, launch: LaunchID())
    #expect(state(RouteWish(app: app, isDeployed: true, web: gone)) == (.crashed, []))
    let none = FormationRecord(type: .web, quantity: 0, launch: launch)
    #expect(state(RouteWish(app: app, isDeployed: true, web: none)) == (.noWeb, []))
    #expect(state(RouteWish(app: app, isDeployed: false, web: nil)) == (.blank, []))
    let hosts = RouteTable.apps(
      [RouteWish(app: app, isDeployed: false, web: nil)], instances: [], domain: "Example.COM")
    #expect(hosts.first?.hosts == ["hello.example.com"])
  }
}

/// Counts who is inside.
final class Counter: Sendable {
  private let state = Mutex((inside: 0, most: 0, visits: 0))
  func enter() {
    state.withLock { state in
      state.inside += 1
      state.most = max(state.most, state.inside)
      state.visits += 1
    }
  }
  func leave() { state.withLock { $0.inside -= 1 } }
  var most: Int { state.withLock { $0.most } }
  var visits: Int { state.withLock { $0.visits } }
}

@Suite struct LockTests {
  @Test("one holder at a time, and no app waits for another")
  func oneAtATime() async {
    let (locks, app) = (NamedLocks<AppID>(), AppID())
    let counter = Counter()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<20 {
        group.addTask {
          await locks.hold(app) {
            counter.enter()
            await Task.yield()
            counter.leave()
          }
        }
      }
    }
    #expect(counter.visits == 20)
    #expect(counter.most == 1)
    await locks.hold(app) {
      #expect(await locks.tryHold(app) { true } == nil)
      #expect(await locks.tryHold(AppID()) { true } == true)
    }
    #expect(await locks.tryHold(app) { true } == true)
  }

  @Test("a ring between the look and the wait is not lost, and a deadline ends the wait")
  func bell() async {
    let bell = Bell()
    let rings = bell.rings
    bell.ring()
    await bell.wait(after: rings, until: .now + .seconds(60))
    await bell.wait(after: bell.rings, until: .now + .milliseconds(5))
    let task = Task { await bell.wait(after: bell.rings, until: .now + .seconds(60)) }
    task.cancel()
    await task.value
  }

  @Test("failures in a row are retried later and later, up to five minutes")
  func backoff() {
    var (backoff, now) = (Backoff(), ContinuousClock.now)
    for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
      backoff.failed(at: now)
      #expect(!backoff.mayTry(at: now + .seconds(expected) - .milliseconds(1)))
      #expect(backoff.mayTry(at: now + .seconds(expected)))
      now += .seconds(expected)
    }
  }
}

@Suite struct KeyTests {
  static let good =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl octocat@github.com"

  @Test("a key has the fingerprint that ssh-keygen shows")
  func fingerprint() throws {
    let key = try SSHKey(Self.good)
    #expect(key.fingerprint == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU")
    #expect(key.comment == "octocat@github.com")
  }

  @Test(
    "what is not one line of a public key is refused",
    arguments: [
      "", "ssh-ed25519", "ssh-dss AAAA", "ssh-ed25519 !!!!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA",
      "command=\"x\" ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----",
    ])
  func refused(_ line: String) {
    #expect(throws: APIError.self) { try SSHKey(line) }
  }

  @Test("an added key opens sessions, a removed one closes them")
  func sessions() async throws {
    let here = try await Installation()
    defer { here.end() }
    let key = try await here.plane.addKey(KeyCreate(public_key: Self.good), by: here.admin)
    let session = try await here.plane.authenticate(KeyOffer(key: Self.good, peer: "127.0.0.1"))
    #expect(session.token.count == 64)
    #expect(await here.plane.account(session: session.token) == here.admin)
    let grant = try await here.plane.repositoryGrant(
      RepositoryRequest(token: session.token, app: try AppName("fresh"), access: .push))
    #expect(grant.created)
    await #expect(throws: APIError.self) {
      try await here.plane.repositoryGrant(
        RepositoryRequest(token: session.token, app: try AppName("absent"), access: .read))
    }
    _ = try await here.plane.removeKey(key.fingerprint, by: here.admin)
    #expect(await here.plane.account(session: session.token) == nil)
    await #expect(throws: APIError.self) { try await here.plane.authenticate(KeyOffer(key: Self.good, peer: "")) }
  }

  @Test("a key that is removed during a login leaves no session behind")
  func removedDuringLogin() async throws {
    let here = try await Installation()
    defer { here.end() }
    for _ in 0..<100 {
      let key = try await here.plane.addKey(KeyCreate(public_key: Self.good), by: here.admin)
      let logins = (0..<8).map { _ in
        Task { try await here.plane.authenticate(KeyOffer(key: Self.good, peer: "127.0.0.1")) }
      }
      _ = try await here.plane.removeKey(key.fingerprint, by: here.admin)
      for login in logins {
        guard case .success(let session) = await login.result else { continue }  // it came too late
        #expect(await here.plane.account(session: session.token) == nil)
      }
    }
  }
}
