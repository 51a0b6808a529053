import Testing

@Suite("Pushes, answered by git's own receive-pack and by ours")
struct PushScenarioTests {
  @Test("the same push, the same answer", arguments: PushScenarios.all)
  func same(_ scenario: PushScenario) async throws {
    let stage = try PushStage()
    defer { stage.remove() }
    for porcelain in [true, false] {
      let theirs = try await stage.run(scenario, .git, porcelain: porcelain)
      let ours = try await stage.run(scenario, .ours, porcelain: porcelain)
      #expect(theirs.calls > 0 && theirs.calls == ours.calls, "a receiver was not called")
      #expect(
        (theirs.output + theirs.errors).contains(scenario.says),
        "git did not say '\(scenario.says)':\n\(theirs.output)\(theirs.errors)")
      #expect((theirs.before != theirs.state) == scenario.changes, "git's server: \(theirs.state)")
      #expect(theirs.before == ours.before, "the sides did not start alike")
      #expect(differing(ours.state, theirs.state) == "")
      #expect(ours.status == theirs.status)
      let (output, used) = without(scenario.differences, ours.output, theirs.output)
      let (errors, usedToo) = without(scenario.differences, ours.errors, theirs.errors)
      #expect(differing(output.ours, output.theirs) == "")
      #expect(differing(errors.ours, errors.theirs) == "")
      for difference in scenario.differences where !used.contains(difference.lines) {
        #expect(usedToo.contains(difference.lines), "nobody says '\(difference.lines)' any more")
      }
    }
  }

  @Test("on purpose not as git: one ref whose object is gone does not stop pushes to the others")
  func brokenRef() async throws {
    let stage = try PushStage()
    defer { stage.remove() }
    let scenario = PushScenario(
      "a broken ref", setup: "echo 1111111111111111111111111111111111111111 >server.git/refs/heads/broken",
      "push ../server.git main", says: "", changes: true)
    let theirs = try await stage.run(scenario, .git, porcelain: true)
    #expect(theirs.output.contains("missing necessary objects"))
    let ours = try await stage.run(scenario, .ours, porcelain: true)
    #expect(ours.status == 0 && ours.calls == 1 && ours.before != ours.state, "\(ours)")
    #expect(ours.state.contains("refs/heads/broken 1111111111111111111111111111111111111111"))
  }

  @Test("there are at least 45 scenarios, each with a name of its own")
  func count() {
    #expect(PushScenarios.all.count >= 45)
    #expect(Set(PushScenarios.all.map(\.name)).count == PushScenarios.all.count)
  }

  /// From the first line that differs; nothing for equal texts.
  private func differing(_ ours: String, _ theirs: String) -> String {
    if ours == theirs { return "" }
    let left = ours.split(separator: "\n", omittingEmptySubsequences: false)
    let right = theirs.split(separator: "\n", omittingEmptySubsequences: false)
    let same = zip(left, right).prefix { $0 == $1 }.count
    func rest(_ lines: [Substring]) -> String { lines.dropFirst(same).prefix(6).joined(separator: "\n") }
    return "line \(same + 1)\n== git\n\(rest(right))\n== ours\n\(rest(left))\n"
  }

  /// Both texts without the lines that may differ, and which differences were met.
  private func without(
    _ differences: [PushScenario.Difference], _ ours: String, _ theirs: String
  ) -> (texts: (ours: String, theirs: String), met: Set<String>) {
    var met: Set<String> = []
    func rest(_ text: String) -> String {
      text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
        guard let difference = differences.first(where: { line.contains($0.lines) }) else { return true }
        met.insert(difference.lines)
        return false
      }.joined(separator: "\n")
    }
    return ((rest(ours), rest(theirs)), met)
  }
}
