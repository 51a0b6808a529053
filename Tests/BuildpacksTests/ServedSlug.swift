import Glibc
import Linux
import Platform
import Sandbox
import Testing

@testable import Buildpacks

extension BuildBench {
  /// Unpacks the slug with `paas worker unpack` in a sandbox, runs its web process in another, and returns the page.
  func page(of result: BuildResult, environment: [String: String]) async throws -> String {
    let directory = "\(path)/run-\(UInt32.random(in: 0 ... .max))"
    try Files.makeDirectory(directory)
    try sandbox.makeDirectory("\(directory)/app", for: hostUser)
    let slug = try checked("open the slug") { open(slugPath(result.slug), O_RDONLY | O_CLOEXEC) }
    defer { close(slug) }
    let unpack = SandboxSpec(
      id: sandbox.identifier("unpack-\(InstanceID())"), arguments: [SandboxMount.programPath, "worker", "unpack"],
      hostUser: hostUser,
      mounts: [SandboxMount(.bind(source: "\(directory)/app", readOnly: false), at: "/app")]
        + sandbox.mounts(program: try Self.program()))
    #expect(try await run(unpack, bundle: "\(directory)/unpack", stdin: slug).exitStatus() == 0)

    let port = try freePort()
    let command = "for f in /app/.profile.d/*.sh; do . \"$f\"; done; exec \(try #require(result.processTypes[.web]))"
    var variables = ["PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/app", "PORT": "\(port)"]
    variables.merge(environment) { $1 }
    let serve = SandboxSpec(
      id: sandbox.identifier("web-\(InstanceID())"), arguments: ["/bin/sh", "-c", command], environment: variables,
      hostUser: hostUser, mounts: [SandboxMount(.bind(source: "\(directory)/app", readOnly: false), at: "/app")])
    let web = try await run(serve, bundle: "\(directory)/web", stdin: nil)
    var answer = ""
    try await eventually("the app never answered") {
      answer = await blocking { get("/", port: port) }
      return answer.contains("version: ")
    }
    web.signal(SIGTERM)
    #expect([0, 143].contains(await web.exitStatus()), "SIGTERM ends the app")
    return answer
  }

  private func run(_ spec: SandboxSpec, bundle: String, stdin: Int32?) async throws -> SandboxProcess {
    try sandbox.writeBundle(spec, at: bundle)
    return try await sandbox.start(spec, bundle: bundle, stdin: stdin, stdout: nil, stderr: STDERR_FILENO)
  }
}

private func loopback(_ port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return address
}

private func withAddress<Result>(_ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result)
  -> Result
{
  withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
}

/// A port that was free a moment ago, and that the kernel gives nobody who asks for any.
private func freePort() throws -> UInt16 {
  for _ in 0..<100 {
    let listener = try checked("make a socket") { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
    defer { close(listener) }
    let port = UInt16.random(in: 10_000..<20_000)
    var address = loopback(port)
    if withAddress(&address, { bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }) == 0 { return port }
  }
  throw SystemError("find a free port", EADDRINUSE)
}

/// The whole answer to an HTTP/1.0 request; empty while nobody listens.
private func get(_ target: String, port: UInt16) -> String {
  let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  guard client >= 0 else { return "" }
  defer { close(client) }
  var address = loopback(port)
  guard withAddress(&address, { connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }) == 0 else {
    return ""
  }
  let request = "GET \(target) HTTP/1.0\r\nHost: localhost\r\n\r\n"
  guard (try? Files.writeAll(Array(request.utf8), to: client, name: "socket")) != nil else { return "" }  // tried again
  return String(decoding: (try? readAll(client, limit: 1 << 20)) ?? [], as: UTF8.self)  // tried again
}
