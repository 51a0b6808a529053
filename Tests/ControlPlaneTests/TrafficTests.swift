import Platform
import Testing
import Wire

@testable import ControlPlane

@Suite("What routers have counted")
struct TrafficTests {
  let app: App
  let web = InstanceID()

  init() throws { app = App(id: AppID(), name: try AppName("hello")) }

  private func counts(_ ok: Int, bad: Int = 0, bucket: Int = 4) -> RequestMetrics {
    var metrics = RequestMetrics(statuses: [0, ok, 0, 0, bad, 0], bytesIn: 10 * ok, bytesOut: 100 * ok)
    metrics.latency[bucket] = ok + bad
    metrics.micros = (ok + bad) * 20_000
    return metrics
  }

  private func metrics(
    _ router: String, _ instances: [(InstanceID?, String, RequestMetrics)], own: RequestMetrics = RequestMetrics(),
    accepted: Int = 0
  ) -> RouterMetrics {
    RouterMetrics(
      router: router, connections: 3, accepted: accepted, refused: 1, droppedLines: 2, held: 1, generation: 1,
      apps: [
        AppMetrics(
          app: app.id, name: app.name, own: own,
          instances: instances.map {
            InstanceMetrics(instance: $0.0, name: $0.1, inFlight: 2, isEjected: false, requests: $0.2)
          })
      ])
  }

  private func requests(_ traffic: TrafficCounts, _ process: String = "web.1") -> Int {
    traffic.processes(of: app.id)[process]?.requests ?? 0
  }

  @Test("two routers that live are summed, and an ended one stays in the sum")
  func sums() {
    var traffic = TrafficCounts()
    traffic.accept(metrics("a", [(web, "web.1", counts(10))], accepted: 5))
    traffic.accept(metrics("b", [(web, "web.1", counts(3))], accepted: 2))
    #expect(requests(traffic) == 13)
    traffic.accept(metrics("b", [(web, "web.1", counts(4))], accepted: 3))
    #expect(requests(traffic) == 14)
    #expect(traffic.routerCounters.accepted == 8)
    #expect(traffic.routerGauges(in: ["b"]).connections == 3)
    for number in 0..<20 { traffic.accept(metrics("r\(number)", [])) }
    #expect(requests(traffic) == 14)
    #expect(traffic.routerCounters.accepted == 8)
    #expect(traffic.routers.count == TrafficCounts.routersKept)
  }

  @Test("a name's count goes on from deploy to deploy, and is counted once also when no instance has the name")
  func deploys() {
    var traffic = TrafficCounts()
    traffic.accept(metrics("a", [(web, "web.1", counts(10)), (InstanceID(), "web.2", counts(4))]))
    traffic.accept(metrics("a", [(InstanceID(), "web.1", counts(12)), (nil, "web.2", counts(4))]))
    for _ in 0..<5 { traffic.accept(metrics("a", [(InstanceID(), "web.1", counts(15)), (nil, "web.2", counts(4))])) }
    #expect(requests(traffic) == 15 && requests(traffic, "web.2") == 4)
    traffic.accept(metrics("a", []))
    #expect(requests(traffic) == 15)
    #expect(traffic.present(of: app.id, in: ["a"])["web.1"]?.inFlight == 0)
  }

  @Test("a counter that starts again, or a name that is told no more, takes nothing away")
  func monotonic() {
    var traffic = TrafficCounts()
    var last = 0
    for step in 0..<300 {
      let second = step % 3 == 0 ? [] : [(InstanceID?.some(web), "web.2", counts(step % 11))]
      traffic.accept(metrics("a", [(InstanceID(), "web.1", counts(step % 7))] + second))
      let now = requests(traffic) + requests(traffic, "web.2")
      #expect(now >= last)
      last = now
    }
    #expect(requests(traffic) == 42 * 6 + 5)
    for step in 0..<TrafficCounts.namesKept * 2 {
      traffic.accept(metrics("a", [(nil, "name.\(step)", counts(1))]))
    }
    #expect(traffic.routers.first?.series.apps[app.id]?.named.count == TrafficCounts.namesKept)
  }

  @Test("what a broken router says breaks nothing")
  func hostile() {
    var traffic = TrafficCounts()
    let broken = RequestMetrics(
      statuses: [.max, .max, -1], bytesIn: .min, bytesOut: .max, latency: Array(repeating: .max, count: 99), micros: -1)
    for _ in 0..<3 {
      traffic.accept(metrics("a", [(web, "web.1", broken)], own: broken, accepted: .max))
      traffic.accept(metrics("b", [(web, "web.1", broken)], accepted: .max))
    }
    let page = MetricsText.page(traffic, apps: [app], living: ["a"], withRouters: true)
    #expect(page.contains("paas_router_accepted_connections_total \(Int.max)"))
    #expect(MetricsSummary.counts(broken.checked).requests == Int.max)
  }

  @Test("the text is Prometheus' format 0.0.4 with cumulative buckets")
  func text() {
    var traffic = TrafficCounts()
    var some = counts(3, bad: 1, bucket: 0)
    some.latency[15] = 2
    traffic.accept(metrics("a", [(web, "web.1", some)], own: counts(2), accepted: 9))
    let page = MetricsText.page(traffic, apps: [app], living: ["a"], withRouters: true)
    let lines = Set(page.split(separator: "\n").map(String.init))
    for line in [
      "# TYPE paas_router_requests_total counter", "# TYPE paas_router_request_seconds histogram",
      #"paas_router_requests_total{app="hello",process="web.1",class="2xx"} 3"#,
      #"paas_router_requests_total{app="hello",process="web.1",class="5xx"} 1"#,
      #"paas_router_requests_total{app="hello",process="router",class="2xx"} 2"#,
      #"paas_router_request_seconds_bucket{app="hello",process="web.1",le="0.001"} 4"#,
      #"paas_router_request_seconds_bucket{app="hello",process="web.1",le="60.0"} 4"#,
      #"paas_router_request_seconds_bucket{app="hello",process="web.1",le="+Inf"} 6"#,
      #"paas_router_request_seconds_count{app="hello",process="web.1"} 6"#,
      #"paas_router_request_seconds_sum{app="hello",process="web.1"} 0.08"#,
      #"paas_router_in_flight{app="hello",process="web.1"} 2"#, "paas_router_accepted_connections_total 9",
      "paas_router_connections 3", "paas_router_held_requests 1", "paas_router_dropped_log_lines_total 2",
    ] { #expect(lines.contains(line), "\(line)") }
    #expect(page.hasSuffix("\n"))
    #expect(!MetricsText.page(traffic, apps: [app], living: ["a"], withRouters: false).contains("connections"))
    #expect(MetricsText.page(traffic, apps: [app], living: [], withRouters: true).contains("paas_router_connections 0"))
    #expect(MetricsText.escaped("a\\b\"c\nd\u{1}") == #"a\\b\"c\nd"#)
  }

  @Test("percentiles are estimated within their bucket")
  func percentiles() {
    #expect(MetricsSummary.percentile(50, of: RequestMetrics().latency) == nil)
    var latency = RequestMetrics().latency
    latency[4] = 100  // 10 to 25 ms
    #expect(MetricsSummary.percentile(50, of: latency) == 17.5)
    #expect(MetricsSummary.percentile(99, of: latency) == 24.85)
    latency[15] = 100
    #expect(MetricsSummary.percentile(99, of: latency) == 60_000)
    #expect(MetricsSummary.percentile(50, of: latency) == 25)
  }
}
