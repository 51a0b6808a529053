import Platform
import Testing
import Wire

@testable import Commands

@Suite("Names and routes in words")
struct RoutingCommandTests {
  @Test("settings are read as people write them")
  func settings() throws {
    let update = try RoutingWords.update([
      "balancing=round-robin", "sticky=on", "body-limit=10m", "concurrency=100", "queue=8", "first-byte=30s", "idle=2m",
      "logs=off",
    ])
    var wanted = RoutingUpdate()
    wanted.balancing = "round-robin"
    wanted.sticky = true
    wanted.body_limit = 10 << 20
    wanted.concurrency = 100
    wanted.queue = 8
    wanted.first_byte_seconds = 30
    wanted.idle_seconds = 120
    wanted.logs = false
    #expect(update == wanted)
    #expect(try RoutingWords.unset(["body-limit", "idle"]).unset == ["body_limit", "idle_seconds"])
    #expect(RoutingWords.shown(bytes: 10 << 20) == "10m" && RoutingWords.shown(bytes: 1500) == "1500")
  }

  @Test(
    "what is no setting is a usage error",
    arguments: [
      "sticky", "sticky=maybe", "body-limit=", "body-limit=-1", "body-limit=9999999999999g", "idle=0s", "queue=many",
      "shape=round", "=", "idle=99999999999999999999",
    ])
  func badSettings(word: String) {
    let error = #expect(throws: CommandError.self) { try RoutingWords.update([word]) }
    #expect(error?.status == .usage)
  }

  @Test("domains are shown as Heroku shows them")
  func domains() {
    let app = NamedReference(id: "1", name: "shop")
    let at = "2026-11-21T18:40:00Z"
    let standard = DomainResource(
      id: "1", app: app, hostname: "shop.localhost", kind: "default", prefix: nil, strip: false, created_at: at)
    let custom = DomainResource(
      id: "2", app: app, hostname: "www.example.com", kind: "custom", prefix: "/api", strip: true, created_at: at)
    #expect(Domains.text([standard], app: "shop") == "=== shop Default Domain\n\nshop.localhost\n")
    #expect(
      Domains.text([standard, custom], app: "shop") == """
        === shop Default Domain

        shop.localhost

        === shop Custom Domains

         www.example.com/api  path stripped  2026/11/21 18:40:00 +0000

        """)
  }

  @Test("metrics are shown in columns, with units")
  func metrics() {
    let counts = AppMetricsResource.Counts(
      requests: 400, statuses: ["2xx": 399, "5xx": 1], error_rate: 0.0025, p50: 0.84, p95: 17.5, p99: 1500,
      bytes_in: 0, bytes_out: 3 << 20)
    let none = AppMetricsResource.Counts(
      requests: 0, statuses: [:], error_rate: 0, p50: nil, p95: nil, p99: nil, bytes_in: 10, bytes_out: 0)
    let resource = AppMetricsResource(
      app: NamedReference(id: "1", name: "shop"), total: counts,
      processes: [
        .init(name: "web.1", in_flight: 2, ejected: true, counts: counts),
        .init(name: "web.2", in_flight: 0, ejected: false, counts: none),
      ])
    #expect(
      Metrics.text(resource) == """
        === shop Metrics

         process  requests  5xx  error rate  p50    p95   p99   in   out   in flight
         web.1    400       1    0.25%       0.8ms  18ms  1.5s  0B   3.0M  2 (left out)
         web.2    0         0    0.00%       -      -     -     10B  0B    0
         total    400       1    0.25%       0.8ms  18ms  1.5s  0B   3.0M

        """)
  }

  @Test(
    "over SSH the app may come first",
    arguments: [
      (["domains:add", "shop", "www.example.com"], ["domains:add", "--app", "shop", "www.example.com"]),
      (["maintenance:on", "shop"], ["maintenance:on", "--app", "shop"]),
      (["routing:set", "shop", "sticky=on"], ["routing:set", "--app", "shop", "sticky=on"]),
    ])
  func appFirst(words: [String], expected: [String]) {
    var environment = CommandEnvironment()
    environment.isOverSSH = true
    #expect(CommandLineWords.normalized(words, environment) == expected)
  }
}
