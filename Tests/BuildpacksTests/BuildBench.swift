import Archive
import Crypto
import Glibc
import Linux
import Platform
import Sandbox
import Synchronization
import Testing

@testable import Buildpacks

extension Tag {
  /// Needs a machine that can run sandboxes.
  @Tag static var sandbox: Self
}

/// Whether this machine can run sandboxes. With `CI=true` a machine that cannot must fail the tests, not skip them.
enum SandboxAvailability {
  static let shared = Task {
    await Sandbox.probe(stateDirectory: "/tmp/paas-test-probe-\(getpid())", installation: InstallationID())
  }

  static func current() async -> Bool {
    if Machine.environment["CI"] == "true" { return true }
    return await shared.value.capabilities.canRun
  }
}

/// Everything one app needs to be built: directories of its own, the real sandbox, the built `paas` as the worker.
final class BuildBench: Sendable {
  let path: String
  let sandbox: Sandbox
  let app: App
  let hostUser: UInt32 = 212_345

  init() async throws {
    path = "/tmp/paas-test-build-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try Files.makeDirectory(path)
    chmod(path, 0o755)
    sandbox = await Sandbox.probe(stateDirectory: "\(path)/crun", installation: InstallationID())
    app = App(id: AppID(), name: try AppName("hello"))
  }

  deinit { _ = try? Files.removeTree(path) }

  static var repository: String {
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  }

  /// Beside the test bundle, where the package's build put it.
  static func program() throws -> String {
    let bundle = try Machine.executablePath()
    let beside = "/" + bundle.split(separator: "/").dropLast().joined(separator: "/") + "/paas"
    return Files.exists(beside) ? beside : "\(repository)/.build/debug/paas"
  }

  func builder(limits: BuildLimits = BuildLimits(), share: String = BuildBench.repository) throws -> SlugBuilder {
    SlugBuilder(
      sandbox: sandbox, shareDirectory: share, programPath: try Self.program(), limits: limits,
      environment: BuildEnvironment.passed(from: Machine.environment))
  }

  func request(tar: String, configVars: [String: String] = [:], timeout: Duration = .seconds(300)) -> BuildRequest {
    let build = BuildID()
    return BuildRequest(
      build: build, app: app, hostUser: hostUser, sourceTar: tar, workDirectory: "\(path)/builds/\(build)",
      cacheDirectory: "\(path)/cache/\(app.id)", slugDirectory: "\(path)/slugs", environment: configVars,
      timeout: timeout)
  }

  /// A tar of small text files.
  func tar(_ files: [String: String], links: [String: String] = [:]) throws -> String {
    try writeTar { writer in
      for (name, text) in files.sorted(by: { $0.key < $1.key }) {
        try writer.file(path: Array(name.utf8), mode: name.contains("bin/") ? 0o755 : 0o644, bytes: Array(text.utf8))
      }
      for (name, target) in links { try writer.symlink(path: Array(name.utf8), target: Array(target.utf8)) }
    }
  }

  /// A tar of one of the examples.
  func tar(example name: String) throws -> String {
    let directory = try openDirectory("\(Self.repository)/examples/\(name)")
    defer { close(directory) }
    return try writeTar { _ = try TarTree.write(directory: directory, to: $0) }
  }

  private func writeTar(_ body: (TarWriter) throws -> Void) throws -> String {
    let name = "\(path)/source-\(UInt32.random(in: 0 ... .max)).tar"
    let file = try checked("make '\(name)'") { open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
    defer { close(file) }
    let writer = try TarWriter(descriptor: file, compression: .none)
    try body(writer)
    try writer.finish()
    return name
  }

  /// A share directory with one buildpack, whose compile script is given.
  func share(compile: String) throws -> String {
    let share = "\(path)/share-\(UInt32.random(in: 0 ... .max))"
    try Files.makeDirectory("\(share)/buildpacks/test/bin")
    for (name, text) in ["detect": "echo Test", "compile": compile] {
      let file = "\(share)/buildpacks/test/bin/\(name)"
      try writeProgram("#!/bin/sh\n\(text)\n", to: file)
    }
    return share
  }

  func slugPath(_ slug: Slug) -> String {
    "\(path)/slugs/\(slug.digest.description.prefix(2))/\(slug.digest).tar.zst"
  }

  func sha256(_ path: String) throws -> String {
    var hash = SHA256()
    hash.update(data: try Files.read(path, limit: 1 << 30))
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Unpacks a slug here, outside any sandbox: the tests wrote what is in it.
  func unpacked(_ slug: Slug) throws -> String {
    let into = "\(path)/unpacked-\(UInt32.random(in: 0 ... .max))"
    try Files.makeDirectory(into)
    let directory = try openDirectory(into)
    defer { close(directory) }
    let file = try checked("open the slug") { open(slugPath(slug), O_RDONLY | O_CLOEXEC) }
    defer { close(file) }
    _ = try Untar.extract(from: file, into: directory, limits: ArchiveLimits(links: .anywhere))
    return into
  }
}

/// What a build printed, collected from its thread.
final class Printed: Sendable {
  private let bytes = Mutex<[UInt8]>([])
  var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
  @Sendable func add(_ chunk: [UInt8]) { bytes.withLock { $0 += chunk } }
}

/// Polls until the condition holds; records an issue after the deadline.
func eventually(
  within limit: Duration = .seconds(60), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while ContinuousClock.now < deadline {
    if try await condition() { return }
    try await Task.sleep(for: .milliseconds(20))
  }
  Issue.record(what, sourceLocation: sourceLocation)
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
