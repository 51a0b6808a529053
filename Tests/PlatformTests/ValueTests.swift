import Platform
import Testing

@Suite("Ids and times")
struct IDTests {
  @Test("ids sort by their creation time")
  func order() {
    var random = SystemRandomNumberGenerator()
    let ids = (0..<200).map { AppID(milliseconds: UInt64($0) * 7, random: &random) }
    #expect(ids == ids.sorted())
    #expect(Set(ids).count == 200)
  }

  @Test("an id is a UUID of version 7, variant 10")
  func form() throws {
    let text = Array(ReleaseID().description)
    #expect(text.count == 36)
    #expect(text[14] == "7")
    #expect("89ab".contains(text[19]))
    #expect(ReleaseID(String(text)) != nil)
  }

  @Test(
    "what is no id is no id",
    arguments: ["", "../../../etc/passwd-aaaa-aaaa-aaaaaaaaa", "0190A0B0-0000-7000-8000-000000000000"])
  func refused(_ text: String) {
    #expect(AppID(text) == nil)
  }

  @Test(
    "times print as the conventions say",
    arguments: [
      (0, "1970/01/01 00:00:00 +0000", "1970-01-01T00:00:00Z"),
      (1_768_700_198_000_000, "2026/01/18 01:36:38 +0000", "2026-01-18T01:36:38Z"),
      (951_782_400_000_000, "2000/02/29 00:00:00 +0000", "2000-02-29T00:00:00Z"),
      (-1_000_000, "1969/12/31 23:59:59 +0000", "1969-12-31T23:59:59Z"),
      (4_107_542_400_000_000, "2100/03/01 00:00:00 +0000", "2100-03-01T00:00:00Z"),
    ])
  func rendering(_ micros: Int64, commandLine: String, rfc3339: String) {
    let time = Timestamp(microseconds: micros)
    #expect(time.commandLine == commandLine)
    #expect(time.rfc3339 == rfc3339)
  }

  @Test("log lines carry microseconds")
  func logLine() {
    #expect(Timestamp(microseconds: 1_768_576_426_677_020).logLine == "2026-01-16T15:13:46.677020+00:00")
  }

  @Test("a release version is read with and without its v")
  func version() {
    #expect(ReleaseVersion(parsing: "v3") == ReleaseVersion(3))
    #expect(ReleaseVersion(parsing: "3") == ReleaseVersion(3))
    #expect(ReleaseVersion(parsing: "v0") == nil)
    #expect(ReleaseVersion(parsing: "vv3") == nil)
    #expect(ReleaseVersion(parsing: "-1") == nil)
  }
}

@Suite("What a push prints")
struct PushTextTests {
  @Test("a failure names phase, code, cause, evidence and the next step")
  func failure() {
    let text = PushText.failure(
      DeployFailure(.boot, .appCrashed, "web.1 exited with status 1", evidence: ["boom"], next: "paas logs -a hello"))
    #expect(
      text == """
         !     boot failed (H10): web.1 exited with status 1
         !     last lines:
         !       boom
         !     next: paas logs -a hello
         !     `paas explain H10` says more.

        """)
  }

  @Test("evidence is cut to its last twenty lines")
  func evidence() {
    let failure = DeployFailure(.build, .buildFailed, "x", evidence: (1...30).map { "line \($0)" })
    #expect(failure.evidence.count == 20)
    #expect(failure.evidence.last == "line 30")
  }
}
