import Linux
import Platform
import Testing

@testable import Commands

@Suite("Codes")
struct CodesTests {
  @Test("docs/codes.md and `paas explain` say the same")
  func page() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let text = try Files.text("\(root)/docs/codes.md")
    #expect(text == CodeText.page, "write docs/codes.md anew from CodeText.page")
  }

  @Test("every code that a deploy can end with is explained", arguments: FailureCode.allCases)
  func failures(code: FailureCode) {
    #expect(CodeText.all.contains { $0.code == code.rawValue })
  }

  @Test(
    "Heroku's codes are explained",
    arguments: [
      "H10", "H11", "H12", "H13", "H14", "H15", "H17", "H18", "H19", "H20", "H21", "H27", "H28", "H80", "H81", "H99",
      "R10",
      "R12",
      "R14", "R15", "R17", "L10",
    ])
  func heroku(code: String) {
    #expect(CodeText.all.contains { $0.code == code })
  }

  @Test("no code is there twice, and no text breaks the table")
  func wellFormed() {
    #expect(Set(CodeText.all.map(\.code)).count == CodeText.all.count)
    #expect(CodeText.all.allSatisfy { !($0.title + $0.meaning + $0.next).contains { "|\n".contains($0) } })
  }
}
