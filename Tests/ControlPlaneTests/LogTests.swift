import Foundation
import Platform
import Testing
import Wire

@testable import ControlPlane

@Suite struct LogTests {
  static let instance = "0197d0a4-1c2b-7abc-8def-0123456789ab"

  func write(_ text: String, _ name: String, _ app: AppID, _ here: Installation) throws {
    let directory = "\(here.directory)/logs/\(app)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let path = "\(directory)/\(name)"
    let old = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    try (old + text).write(toFile: path, atomically: false, encoding: .utf8)
  }

  func read(_ here: Installation, _ lines: Int = 100, _ filter: LogFilter = LogFilter()) async throws -> [String] {
    var result: [String] = []
    for try await line in try await here.plane.logs("hello", lines: lines, tail: false, filter: filter, by: here.admin)
    {
      result.append(line)
    }
    return result
  }

  @Test("the files of an app are one log, by time, and each line says where it comes from")
  func merged() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    try? FileManager.default.removeItem(atPath: "\(here.directory)/logs/\(app)/paas.log")
    try write(
      """
      2026-01-16T15:13:46.677020123+00:00 stdout F one
      2026-01-16T16:13:48.000000000+01:00 stderr F three

      """, "web.1.\(Self.instance).log", app, here)
    try write("2026-01-16T15:13:47+00:00 stdout F web.1\tState changed\n", "paas.log", app, here)
    let line = RouterLogLine(app: app, at: Timestamp(microseconds: 1_768_576_429_000_000), text: "at=info method=GET")
    await here.plane.routerLogs(Array(line.encoded.utf8))
    try write("junk that is no log line\n", "notes.txt", app, here)
    #expect(
      try await read(here) == [
        "2026-01-16T15:13:46.677020+00:00 app[web.1]: one",
        "2026-01-16T15:13:47.000000+00:00 paas[web.1]: State changed",
        "2026-01-16T15:13:48.000000+00:00 app[web.1]: three",
        "2026-01-16T15:13:49.000000+00:00 paas[router]: at=info method=GET",
      ])
    #expect(try await read(here, 1).count == 1)
    #expect(try await read(here, 9, LogFilter(source: .router)).count == 1)
    #expect(try await read(here, 9, LogFilter(process: "web")).count == 3)
    #expect(try await read(here, 9, LogFilter(source: .app, process: "web.1")).count == 2)
    #expect(try await read(here, 9, LogFilter(process: "we")).isEmpty)
  }

  @Test("a line that conmon cut in pieces is one line")
  func partial() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    try write(
      "2026-01-16T15:13:46+00:00 stdout P one \n2026-01-16T15:13:46+00:00 stdout F line\n",
      "web.1.\(Self.instance).log", app, here)
    #expect(
      try await read(here, 9, LogFilter(source: .app)) == ["2026-01-16T15:13:46.000000+00:00 app[web.1]: one line"])
  }

  @Test("a tail goes on with new lines of old and new files")
  func tail() async throws {
    let here = try await Installation()
    defer { here.end() }
    let app = try await here.create()
    let stream = try await here.plane.logs(
      "hello", lines: 0, tail: true, filter: LogFilter(source: .app), by: here.admin)
    try write("2026-01-16T15:13:46+00:00 stdout F first\n", "web.1.\(Self.instance).log", app, here)
    var lines: [String] = []
    for try await line in stream {
      lines.append(String(line.suffix(6)))
      if lines.count == 1 {
        try write("2026-01-16T15:13:46+00:00 stdout F second\n", "web.1.\(Self.instance).log", app, here)
      } else {
        break
      }
    }
    #expect(lines == [" first", "second"])
  }

  @Test("what happens to an app stands in its log, without config values")
  func story() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    _ = try await here.plane.setConfigVars("hello", patch: ["A": "hush-hush"], by: here.admin)
    let lines = try await read(here, 100, LogFilter(source: .paas))
    let texts = lines.map { String($0.dropFirst(33)) }
    #expect(texts.contains("paas[api]: Deploy bbbbbbbb by user admin@localhost"))
    #expect(texts.contains("paas[api]: Release v1 created by user admin@localhost"))
    #expect(texts.contains("paas[api]: Set A config vars by user admin@localhost"))
    #expect(!lines.joined().contains("hush-hush"))
  }

  @Test("times with offsets and decimals are read, others refused")
  func times() {
    #expect(Timestamp(rfc3339: "1970-01-01T00:00:01.5Z")?.microseconds == 1_500_000)
    #expect(Timestamp(rfc3339: "2026-01-16T15:13:46.677020+00:00")?.logLine == "2026-01-16T15:13:46.677020+00:00")
    #expect(Timestamp(rfc3339: "2024-02-29T23:59:59-01:30")?.rfc3339 == "2024-03-01T01:29:59Z")
    for text in ["", "2026", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01 x0:00:00Z00"] {
      #expect(Timestamp(rfc3339: Substring(text)) == nil)
    }
  }
}
