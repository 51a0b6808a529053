import Platform
import Testing
import Wire

@testable import ControlPlane

@Suite("The router's lines as they come")
struct RouterLogTests {
  let app = AppID()
  let at = Timestamp(microseconds: 1_768_576_429_012_345)

  @Test("are stored as the log's own lines are, app by app")
  func stored() throws {
    let other = AppID()
    let lines = [
      RouterLogLine(app: app, at: at, text: #"at=info path="/""#), RouterLogLine(app: other, at: at, text: "two"),
      RouterLogLine(app: app, at: Timestamp(microseconds: at.microseconds + 1_000_001), text: "three"),
    ]
    let batches = RouterLog(Array(lines.map(\.encoded).joined().utf8)).batches
    #expect(batches.count == 2)
    let expected = [0, 2].map { LogLine(at: lines[$0].at, text: lines[$0].text).stored }.joined()
    #expect(batches[app].map { String(decoding: $0, as: UTF8.self) } == expected)
    #expect(batches[other].map { String(decoding: $0, as: UTF8.self) } == LogLine(at: at, text: "two").stored)
  }

  @Test("a line of text cannot make another, and junk is left out")
  func hostile() {
    let text = "\(app) \(at.microseconds) a\rb\u{1B}[31m\0c\n"
    let junk = [
      "", "x", "\(app)", "\(app) ", "\(app) x y", "\(app) -1 y", "\(app) 99999999999999999999 y", "../../etc 1 y",
    ]
    let batches = RouterLog(Array((text + junk.joined(separator: "\n") + "\n").utf8) + [0xFF, 0x0A]).batches
    #expect(batches.keys.map { $0 } == [app])
    let stored = String(decoding: batches[app] ?? [], as: UTF8.self)
    #expect(stored == "\(at.logLine) stdout F a b [31m c\n")
  }
}
