import Platform
import Testing

@Suite("Names are validated where they are made")
struct NameTests {
  @Test(
    "a hostile app name is refused",
    arguments: [
      "", "a", "../x", "..", "/etc/passwd", "a/b", "a.git", "A-b", "-ab", "ab-", "1ab", "a b", "a\nb", "a\0b", "a;rm",
      "a$(id)", "a`id`", "ähm", "a_b", String(repeating: "a", count: 31),
    ])
  func hostileAppName(_ text: String) {
    #expect(throws: NameError.self) { try AppName(text) }
  }

  @Test("an app name is a DNS label", arguments: ["ab", "hello", "my-app-2", String(repeating: "a", count: 30)])
  func goodAppName(_ text: String) throws {
    #expect(try AppName(text).description == text)
  }

  @Test("an error shows no control characters of the name it refuses")
  func printableError() {
    #expect(throws: NameError.self) { try AppName("a\u{1B}[31m") }
    do { _ = try AppName("a\u{1B}[31m") } catch { #expect(!error.message.contains("\u{1B}")) }
  }

  @Test(
    "a ref name follows git-check-ref-format",
    arguments: [
      "refs/heads/", "refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock", "refs/heads/a//b", "refs/heads/a b",
      "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?", "refs/heads/a*", "refs/heads/[",
      "refs/heads/a\\b", "refs/heads/a@{0}", "refs/heads/a.", "HEAD", "main", "refs/main", "/refs/heads/a", "",
      "refs/../heads/a", "refs/heads/a\u{7F}", "refs/heads/a/",
    ])
  func badRef(_ text: String) {
    #expect(throws: NameError.self) { try RefName(text) }
  }

  @Test(
    "an ordinary ref name is kept", arguments: ["refs/heads/main", "refs/tags/v1.0", "refs/heads/a/b", "refs/heads/ä"])
  func goodRef(_ text: String) throws {
    #expect(try RefName(text).description == text)
  }

  @Test("a branch's short name")
  func branch() throws {
    #expect(try RefName("refs/heads/a/b").branch == "a/b")
    #expect(try RefName("refs/tags/v1").branch == nil)
  }

  @Test("config var names are shell names", arguments: ["", "1A", "A-B", "A B", "A=B", "Ä"])
  func badConfigKey(_ text: String) {
    #expect(throws: NameError.self) { try ConfigKey(text) }
  }

  @Test(
    "an object id is 40 hexadecimal digits",
    arguments: ["", "abc", String(repeating: "G", count: 40), String(repeating: "a", count: 41)])
  func badCommit(_ text: String) {
    #expect(throws: NameError.self) { try CommitID(text) }
  }
}
