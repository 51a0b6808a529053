import Glibc
import Linux
import Platform
import Sandbox
import Testing

@testable import SlugRunner

@Suite(.tags(.sandbox), .enabled("no sandbox here") { await SandboxAvailability.current() })
struct OneOffTests {
  private func oneOff(
    _ fixture: Fixture, _ command: String, slug: Slug, terminal: TerminalSize? = nil
  ) throws -> OneOff {
    OneOff(
      app: App(id: fixture.app, name: try AppName("hello")), release: ReleaseVersion(1), slug: slug, command: command,
      environment: ["GREETING": "hi"], name: "run.1", terminal: terminal)
  }

  @Test("a one-off has three pipes of its own, the app's files and environment, and gives back its status")
  func pipes() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let slug = try await fixture.slug(["file": "content"])
      let run = try await engine.runOnce(
        try oneOff(fixture, "cat file; echo $GREETING $DYNO; cat; echo bad >&2; exit 5", slug: slug))
      try Files.writeAll(Array("typed".utf8), to: run.input, name: "input")
      close(run.input)
      #expect(await readAll(run.output) == "contenthi run.1\ntyped")
      #expect(await readAll(try #require(run.errors)) == "bad\n")
      #expect(await run.exitStatus() == 5)
      #expect(try Files.names(in: "\(fixture.data)/engine/oneoffs").isEmpty)
    }
  }

  @Test("a one-off with a terminal sees a terminal of the given size, and a resize")
  func terminal() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let slug = try await fixture.slug(["file": "content"])
      let command = "trap 'stty size; exit 6' WINCH; stty size; tty; echo ready; while true; do sleep 0.05; done"
      let run = try await engine.runOnce(
        try oneOff(fixture, command, slug: slug, terminal: TerminalSize(columns: 91, rows: 33)))
      let first = await readUntil("ready", run.output)
      #expect(first.contains("33 91"))
      #expect(first.contains("/dev/pts/") || first.contains("/dev/console"))
      run.resize(TerminalSize(columns: 100, rows: 40))
      #expect(await readAll(run.output).contains("40 100"))
      close(run.input)
      #expect(await run.exitStatus() == 6)
    }
  }

  @Test("a one-off can be killed, and leaves nothing")
  func killed() async throws {
    try await withFixture { fixture in
      let engine = fixture.engine()
      let run = try await engine.runOnce(try oneOff(fixture, "sleep 1000", slug: try await fixture.slug(["a": ""])))
      run.signal(SIGKILL)
      for end in [run.input, run.output, run.errors] { close(try #require(end)) }
      #expect(await run.exitStatus() == 137)
      #expect(await fixture.sandbox.list().isEmpty)
    }
  }

  private func readUntil(_ text: String, _ descriptor: Int32) async -> String {
    await blocking {
      var all: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count <= 0 { break }
        all += buffer[0..<count]
        if String(decoding: all, as: UTF8.self).contains(text) { break }
      }
      return String(decoding: all, as: UTF8.self)
    }
  }

  /// A terminal ends with an error, a pipe with zero bytes.
  private func readAll(_ descriptor: Int32) async -> String {
    let text = await readUntil("\u{1}never\u{1}", descriptor)
    close(descriptor)
    return text
  }
}
