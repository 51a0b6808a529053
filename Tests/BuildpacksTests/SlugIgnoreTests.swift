import Testing

@testable import Buildpacks

@Suite("A .slugignore")
struct SlugIgnoreTests {
  private func ignores(_ patterns: String, _ path: String, directory: Bool = false) -> Bool {
    SlugIgnore(Array(patterns.utf8)).matches(Array(path.utf8), isDirectory: directory)
  }

  @Test(
    "matches as gitignore does",
    arguments: [
      ("*.psd", "art/cover.psd", true), ("*.psd", "cover.psd.txt", false), ("/docs", "docs", true),
      ("/docs", "lib/docs", false), ("docs/*.md", "docs/a.md", true), ("docs/*.md", "docs/sub/a.md", false),
      ("docs/**/*.md", "docs/sub/deep/a.md", true), ("docs/**/*.md", "docs/a.md", true), ("**/tmp", "a/b/tmp", true),
      ("a/**", "a/b/c", true), ("file?.txt", "file1.txt", true), ("file?.txt", "file12.txt", false),
      ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false), ("[a-c]x", "dx", false), ("\\*", "*", true),
      ("\\*", "x", false), ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXbYbZ", false), ("# art", "# art", false),
      ("!kept", "kept", false), ("spaces  ", "spaces", true), ("*", "anything", true), ("/", "x", false),
      ("[", "[", true),
    ])
  func patterns(pattern: String, path: String, expected: Bool) {
    #expect(ignores(pattern, path) == expected)
  }

  @Test("with a slash at the end means directories only")
  func directories() {
    #expect(ignores("build/", "build", directory: true))
    #expect(!ignores("build/", "build"))
  }

  @Test("with many stars does not take for ever")
  func manyStars() {
    let name = String(repeating: "a", count: 250)
    #expect(!ignores(String(repeating: "*a", count: 100) + "b", name))
  }

  @Test("with many double stars does not take for ever")
  func manyDoubleStars() {
    let path = [String](repeating: "a", count: 60).joined(separator: "/")
    #expect(!ignores([String](repeating: "**/a", count: 25).joined(separator: "/") + "/b", path))
  }
}

@Suite("Sizes")
struct SizeTests {
  @Test(
    "read as Heroku prints them",
    arguments: [
      (12, "12B"), (1536, "1.5K"), (38_063_309, "36.3M"), (104_857_600, "100M"), (5 << 30, "5.0G"),
    ] as [(Int64, String)])
  func sizes(bytes: Int64, text: String) { #expect(humanSize(bytes) == text) }
}

@Suite("Build output")
struct BuildOutputTests {
  private func take(_ text: String, _ output: inout BuildOutput) -> String {
    String(decoding: Array(text.utf8).withUnsafeBytes { output.take($0) }, as: UTF8.self)
  }

  @Test("passes everything on and keeps the last 20 lines without control characters")
  func lines() {
    var output = BuildOutput(limit: 1 << 20)
    for number in 1...30 { #expect(take("line \u{1B}[31m\(number)\n\n", &output) == "line \u{1B}[31m\(number)\n\n") }
    _ = take("no newline", &output)
    #expect(output.lastLines.count == 20)
    #expect(output.lastLines.first == "line [31m12")
    #expect(output.lastLines.last == "no newline")
  }

  @Test("over the limit is cut with one notice")
  func limit() {
    var output = BuildOutput(limit: 10)
    #expect(take("0123456789", &output) == "0123456789")
    #expect(take("x", &output).contains("the rest is dropped"))
    #expect(take("y", &output) == "")
  }
}
