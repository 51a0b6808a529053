import Glibc
import Linux
import Platform
import Synchronization
import Testing
import Wire

/// Requests and answers byte for byte, through a router, against an instance that keeps every byte it gets.
@Suite("Conformance, byte for byte")
struct ConformanceTests {
  /// A table of cases that share a router.
  struct Table: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let cases: [WireCase]

    static let all = [
      Table(testDescription: "request framing", cases: requestFramingCases),
      Table(testDescription: "transfer codings", cases: transferCodingCases),
      Table(testDescription: "chunks", cases: chunkCases),
      Table(testDescription: "broken chunks", cases: brokenChunkCases),
      Table(testDescription: "request lines", cases: requestLineCases),
      Table(testDescription: "targets", cases: targetCases),
      Table(testDescription: "fields", cases: fieldCases),
      Table(testDescription: "hosts", cases: hostCases),
      Table(testDescription: "connections", cases: connectionCases),
      Table(testDescription: "hops", cases: hopCases),
      Table(testDescription: "forwarding", cases: forwardedCases),
      Table(testDescription: "responses", cases: responseCases),
      Table(testDescription: "response framing", cases: responseFramingCases),
      Table(testDescription: "bad responses", cases: badResponseCases),
    ]
  }

  @Test("there are more than 150 cases, each with a name of its own and its section")
  func count() {
    let cases = Table.all.flatMap(\.cases)
    #expect(cases.count > 150)
    #expect(Dictionary(grouping: cases, by: \.name).filter { $1.count > 1 }.keys.sorted() == [])
    #expect(cases.allSatisfy { $0.rule.hasPrefix("911") })
  }

  @Test("each exchange is what its section says", arguments: Table.all)
  func exchanges(table: Table) async throws {
    let backends = try table.cases.map { try CaseBackend($0) }
    let apps = try backends.enumerated().map { try RoutedApp.live("c\($0)", [$1.backend.endpoint]) }
    let faults = try await withRouter(apps) { router in
      var faults: [(WireCase, [String])] = []
      for (index, wireCase) in table.cases.enumerated() {
        faults.append(
          (wireCase, CaseRun(wireCase, host: "c\(index).localhost", backends[index]).run(port: router.port)))
      }
      // What must not be sent on must not be sent on later either.
      for (index, wireCase) in table.cases.enumerated() {
        let bothered = backends[index].seen.whole.contains { $0.target != "/next" }
        switch wireCase.sent {
        case .nothing, .noWhole: if bothered { faults.append((wireCase, ["the instance was bothered"])) }
        case .one, .anything: break
        }
      }
      return faults
    }
    backends.forEach { $0.backend.refuse() }
    for (wireCase, found) in faults {
      for fault in found { Issue.record("\(wireCase.name) (RFC \(wireCase.rule)): \(fault)") }
    }
  }
}
