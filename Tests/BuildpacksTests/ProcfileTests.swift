import Platform
import Testing

@testable import Buildpacks

@Suite("A Procfile")
struct ProcfileTests {
  private func parse(_ text: String) throws(DeployFailure) -> Procfile { try Procfile(Array(text.utf8)) }

  @Test("declares types in the order of the file, with comments and blank lines between")
  func types() throws {
    let procfile = try parse("# app\nweb: gunicorn app:app\n\nworker:   python work.py -v  \r\nrelease: ./migrate\n")
    #expect(procfile.order.map(\.description) == ["web", "worker", "release"])
    #expect(procfile.processTypes[.web] == "gunicorn app:app")
    #expect(procfile.processTypes[try ProcessType("worker")] == "python work.py -v")
  }

  @Test("keeps colons, quotes and dollars of a command as they are")
  func commandIsVerbatim() throws {
    let procfile = try parse(#"web: puma -b "tcp://0.0.0.0:$PORT" # not a comment"#)
    #expect(procfile.processTypes[.web] == #"puma -b "tcp://0.0.0.0:$PORT" # not a comment"#)
  }

  @Test("that is empty declares nothing")
  func empty() throws { #expect(try parse("\n").order.isEmpty) }

  @Test(
    "with a mistake is refused with B07 and the line's number",
    arguments: ["web gunicorn", "web:", ": gunicorn", "we b: x", "../../etc: x", "web: a\nweb: b", "web: a\u{0}b"])
  func mistakes(text: String) {
    #expect {
      try parse("worker: x\n\(text)\n")
    } throws: { error in
      guard let failure = error as? DeployFailure else { return false }
      return failure.code == .badProcfile && failure.message.contains("line \(text.hasPrefix("web: a\nweb") ? 3 : 2)")
    }
  }

  @Test("that is no text, or too long, is refused with B07")
  func noText() {
    #expect(throws: DeployFailure.self) { try Procfile([0x77, 0x65, 0x62, 0x3A, 0xFF, 0xFE]) }
    #expect(throws: DeployFailure.self) { try Procfile([UInt8](repeating: 0x23, count: 70_000)) }
    #expect(throws: DeployFailure.self) { try parse((0..<51).map { "t\($0): x\n" }.joined()) }
  }
}

@Suite("What bin/release prints")
struct ReleaseDocumentTests {
  private func parse(_ text: String) throws(DeployFailure) -> ProcessTypes {
    try ReleaseDocument(Array(text.utf8)).processTypes
  }

  @Test("names default process types, plain or quoted, among other keys")
  func types() throws {
    let types = try parse(
      """
      ---
      addons: []
      config_vars:
        PATH: x
      default_process_types:
        web: bundle exec puma -p $PORT
        worker: "say \\"hi\\""
        console: 'it''s'
      """)
    #expect(
      types == [
        .web: "bundle exec puma -p $PORT", try ProcessType("worker"): #"say "hi""#, try ProcessType("console"): "it's",
      ])
  }

  @Test("may be empty")
  func empty() throws { #expect(try parse("--- {}\n").isEmpty) }

  @Test("that is wrong is refused with B02")
  func wrong() {
    #expect(throws: DeployFailure.self) { try parse("default_process_types:\n  - web\n") }
  }
}
