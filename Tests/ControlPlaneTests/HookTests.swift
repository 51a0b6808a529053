import Foundation
import Glibc
import Linux
import Platform
import Store
import Testing
import Wire

@testable import ControlPlane

@Suite struct HookTests {
  /// Installs a pre-deploy hook.
  func add(_ name: String, _ script: String, mode: String = "755", to here: Installation) throws {
    try writeProgram(script, to: "\(here.directory)/hooks/pre-deploy.d/\(name)", mode: mode)
  }

  @Test("hooks run in the order of their names, and their output reaches the pusher")
  func order() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try add("20-second", "#!/bin/sh\necho second\n", to: here)
    try add("10-first", "#!/bin/sh\necho first >&2\n", to: here)
    try add("15-off", "#!/bin/sh\nexit 1\n", mode: "644", to: here)
    let pushed = try await here.push()
    #expect(pushed.exit.committed)
    #expect(pushed.text.contains("first\nsecond\n"))
  }

  @Test("a hook reads the event as JSON and has a clean environment")
  func event() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try add("10-look", "#!/bin/sh\ncat\nenv | cut -d= -f1 | sort | tr '\\n' ' '\n", to: here)
    let text = try await here.push().text
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("{") })
    let event = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(event["event"] as? String == "pre-deploy")
    #expect(event["action"] as? String == "deploy")
    #expect(event["commit"] as? String == String(repeating: "b", count: 40))
    #expect((event["app"] as? [String: Any])?["name"] as? String == "hello")
    #expect((event["release"] as? [String: Any])?["version"] as? Int == 1)
    #expect(text.contains("HOME LANG PAAS_APP PAAS_EVENT PATH PWD "))
  }

  @Test("a hook that refuses rejects the push before anything is started")
  func refuse() async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try await here.push()
    try add("10-freeze", "#!/bin/sh\necho no deploys on Friday\nexit 7\n", to: here)
    let pushed = try await here.push(TestSource(slug: "c"), new: "c")
    #expect(pushed.exit.code == .hookRefused)
    #expect(pushed.exit.reason == "the pre-deploy hook '10-freeze' refused (exit status 7)")
    #expect(pushed.text.contains("no deploys on Friday\n"))
    #expect(await here.running() == ["web.1 v1"])
  }

  @Test(
    "a hook that does not end is killed, with what it started",
    arguments: ["sleep 1000 & sleep 1000", "exec >&- 2>&-; sleep 1000"])
  func endless(_ script: String) async throws {
    let here = try await Installation()
    defer { here.end() }
    _ = try await here.create()
    try add("10-endless", "#!/bin/sh\n\(script)\n", to: here)
    var hooks = here.plane.hooks
    hooks.limit = .milliseconds(300)
    _ = try await here.plane.setConfigVars("hello", patch: ["A": "1"], by: here.admin)
    let (app, release) = try await here.store.read { ledger in
      (try #require(try ledger.apps().first), try #require(try ledger.releases(of: ledger.apps()[0].id).first))
    }
    await #expect(throws: DeployFailure.self) {
      try await hooks.preDeploy(HookEvent(app, release), output: .none)
    }
  }

  @Test(
    "the example lets rollbacks through on a weekend, and refuses deploys",
    arguments: [("deploy", 6, 1), ("deploy", 5, 0), ("rollback", 7, 0)])
  func example(_ action: String, _ day: Int, _ status: Int32) async throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized
    let event = NSTemporaryDirectory() + "event-\(UUID().uuidString)"
    try #"{"action":"\#(action)","event":"pre-deploy"}"#.write(toFile: event, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: event) }
    let input = try #require(FileHandle(forReadingAtPath: event))
    let child = try Child.spawn(
      ChildRequest(
        path: root.path + "/hooks/pre-deploy.d.example/50-no-weekend-deploys", arguments: [],
        environment: ["PATH": "/usr/bin:/bin", "PAAS_APP": "hello", "PAAS_HOOK_DAY": "\(day)"],
        descriptors: [0: input.fileDescriptor]))
    #expect(await child.exitStatus() == status)
  }
}

/// Writes a program that can be started at once. Nobody may execute what somebody has open for writing, and a child
/// that another thread of ours starts has open, from its fork to its exec, whatever we have: so another process writes.
func writeProgram(_ text: String, to path: String, mode: String = "755") throws {
  let (reading, writing) = try makePipe()
  defer { close(reading) }
  do {
    defer { close(writing) }
    try Files.writeAll(Array(text.utf8), to: writing, name: "pipe")
  }
  let child = try Child.spawn(
    ChildRequest(path: "/usr/bin/install", arguments: ["-m", mode, "/dev/stdin", path], descriptors: [0: reading]))
  var status: Int32 = 0
  while waitpid(child.pid, &status, 0) < 0, errno == EINTR {}
  guard status == 0 else { throw SystemError("write '\(path)'", EIO) }
}
