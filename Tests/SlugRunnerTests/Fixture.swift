import Crypto
import Glibc
import Linux
import Logging
import Platform
import Sandbox
import Testing

@testable import SlugRunner

func writeFile(_ text: String, _ path: String) throws {
  try Files.writeDurably(text.utf8, to: path, mode: 0o644)
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

/// Polls until the condition holds, or for two minutes: other programs may want the machine too.
func eventually(_ condition: () async throws -> Bool) async rethrows -> Bool {
  let deadline = ContinuousClock.now + .seconds(120)
  while ContinuousClock.now < deadline {
    if try await condition() { return true }
    try? await Task.sleep(for: .milliseconds(10))
  }
  return false
}

/// One installation with one app, in a directory of its own. `worker unpack` is a stand-in: a script that untars.
final class Fixture: Sendable {
  let temporary = TemporaryDirectory("engine")
  let installation = InstallationID()
  let app = AppID()
  let user = UInt32.random(in: 80_000...89_999)
  let sandbox: Sandbox
  var data: String { temporary.path + "/data" }

  init() async throws {
    sandbox = await Sandbox.probe(stateDirectory: temporary.path + "/data/engine/crun", installation: installation)
    try Files.makeDirectory(data + "/slugs")
    for path in [data, data + "/engine", data + "/engine/crun"] { chmod(path, 0o711) }
    try writeProgram(
      "#!/bin/sh\n[ \"$1 $2\" = \"worker unpack\" ] || exit 9\nexec tar -xf - -C /app\n",
      to: temporary.path + "/program")
  }

  func engine() -> LocalEngine {
    let (user, data) = (user, data)
    var configuration = LocalEngine.Configuration(
      dataDirectory: data, installation: installation, programPath: temporary.path + "/program",
      uidForApp: { _ in user }, slugPath: { "\(data)/slugs/\($0)" })
    configuration.settleTime = .milliseconds(100)
    configuration.stopGrace = .seconds(2)
    configuration.portCheckInterval = .milliseconds(200)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    return LocalEngine(configuration: configuration, sandbox: sandbox, logger: logger)
  }

  /// A slug with these files, named by its hash.
  func slug(_ files: [String: String]) async throws -> Slug {
    let tree = "\(temporary.path)/tree-\(UInt32.random(in: 0 ... .max))"
    for (name, text) in files {
      let parts = name.split(separator: "/").dropLast().joined(separator: "/")
      try Files.makeDirectory(parts.isEmpty ? tree : "\(tree)/\(parts)")
      try writeFile(text, "\(tree)/\(name)")
    }
    let archive = tree + ".tar"
    let tar = try Child.spawn(ChildRequest(path: "/usr/bin/tar", arguments: ["-cf", archive, "-C", tree, "."]))
    #expect(await tar.exitStatus() == 0)
    let bytes = try Files.read(archive)
    let digest = try SlugDigest(SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())
    rename(archive, "\(data)/slugs/\(digest)")
    return Slug(digest: digest, size: Int64(bytes.count))
  }

  func workload(
    _ command: String, _ process: String = "worker", quantity: Int = 1, slug: Slug, launch: LaunchID = LaunchID(),
    environment: [String: String] = [:]
  ) throws -> Workload {
    Workload(
      key: WorkloadKey(app: app, launch: launch, process: try ProcessType(process)), appName: try AppName("hello"),
      release: ReleaseVersion(1), slug: slug, command: command, quantity: quantity, environment: environment)
  }

  func log(of instance: Instance) -> [String] {
    LogFile.lastLines(100, of: "\(data)/logs/\(app)/\(instance.name).\(instance.id).log")
  }
}

/// Runs the body with a fresh installation, and leaves no process behind however it ends.
func withFixture(_ body: (Fixture) async throws -> Void) async throws {
  let fixture = try await Fixture()
  let result: Result<Void, any Error>
  do {
    try await body(fixture)
    result = .success(())
  } catch {
    result = .failure(error)
  }
  let cleaner = fixture.engine()
  await cleaner.adopt()
  await cleaner.forget(app: fixture.app)
  #expect(await fixture.sandbox.list().isEmpty)
  try result.get()
}

extension LocalEngine {
  /// The only instance there is.
  func only() async throws -> Instance {
    let all = await instances(of: nil)
    #expect(all.count == 1)
    return try #require(all.first)
  }
}
