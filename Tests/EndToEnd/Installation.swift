import Glibc
import Linux
import Testing

/// One installation under test: a data directory of its own, the built binary as its server, and clients.
final class Installation: Sendable {
  let data: String
  let scratch: String
  let user: (uid: UInt32, gid: UInt32)?
  let flags: [String]
  private let current = Current()

  /// The server process and its addresses; replaced when the test starts it again.
  private actor Current {
    var server: RunningProgram?
    var ready = ""
    func set(_ server: RunningProgram?, ready: String) {
      self.server = server
      self.ready = ready
    }
  }

  /// The binary that was built with these tests: it lies beside their bundle.
  static let binary: String = {
    let directory = (#filePath as String).split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
    return Machine.environment["PAAS_BINARY"] ?? directory + "/.build/debug/paas"
  }()
  static let root = (#filePath as String).split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

  private init(flags: [String], user: (uid: UInt32, gid: UInt32)?) throws {
    var template = Array("/tmp/paas-e2e-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError("make a temporary directory") }
    scratch = String(cString: made)
    data = scratch + "/data"
    self.flags = flags
    self.user = user
    chmod(scratch, 0o755)
    mkdir(data, 0o711)
    if let user { for path in [scratch, data] { chown(path, user.uid, user.gid) } }
  }

  /// Starts a server, runs the body, stops everything and removes every file, whatever happened.
  static func with(
    _ flags: [String] = [], environment: [String: String] = [:], user: (uid: UInt32, gid: UInt32)? = nil,
    _ body: (Installation) async throws -> Void
  ) async throws {
    let installation = try Installation(flags: flags, user: user)
    do {
      try await installation.makeKey()
      try await installation.start(environment: environment)
      try await body(installation)
    } catch {
      let log = (try? Files.text(installation.scratch + "/server.log")) ?? ""
      Issue.record("\(error)\n--- server log\n\(log.suffix(4000))")
    }
    await installation.end()
  }

  private func makeKey() async throws {
    let made = try await Program.run("/usr/bin/ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "t@e", "-f", key])
    #expect(made.status == 0, "\(made)")
  }

  var key: String { scratch + "/id_ed25519" }

  /// Starts (again) and waits for the line that says it serves.
  func start(environment: [String: String] = [:], binary: String = Installation.binary) async throws {
    let arguments =
      [
        "-c", "exec \"$0\" server \"$@\" 2>>\(scratch)/server.log", binary, "--data", data, "--http",
        "127.0.0.1:0",
        "--ssh", "127.0.0.1:0", "--api", "127.0.0.1:0", "--stop-grace", "5",
      ] + flags + (binary == Self.binary ? [] : ["--share", Self.root])
    let server = try Program.start("/bin/sh", arguments, environment: environment, user: user)
    try await eventually("the server says that it is ready") {
      if server.out.text.contains("\n") { return true }
      if ProcessIdentity(pid: server.child.pid) == nil {
        throw NotInTime(description: "the server ended: \((try? Files.text(scratch + "/server.log")) ?? "")")
      }
      return false
    }
    await current.set(server, ready: server.out.text)
    if try await paas(["keys"]).out.contains("SHA256") == false {
      let added = try await paas(["keys:add", key + ".pub"])
      #expect(added.status == 0, "\(added)")
    }
  }

  /// `kill -9` of the server alone; returns when it is gone.
  func killServer() async throws {
    let server = try #require(await current.server)
    server.child.signal(SIGKILL)
    _ = await server.child.exitStatus()
    await current.set(nil, ready: await current.ready)
  }

  /// The server's process; it ends by itself in tests of its end.
  var server: RunningProgram? { get async { await current.server } }

  /// A port from the ready line: `ssh`, `http` or `api`.
  func port(_ name: String) async throws -> Int {
    let ready = await current.ready
    let words = ready.split(whereSeparator: { " ,\n".contains($0) })
    let index = try #require(words.firstIndex { $0 == name }, "no \(name) in: \(ready)")
    let digits = words[index + 1].split(separator: ":").last?.prefix { $0.isNumber } ?? ""
    return try #require(Int(digits), "no port for \(name) in: \(ready)")
  }

  private func end() async {
    _ = try? await paas(["server:stop", "--all", "--data", data])
    if let server = await current.server {
      if let identity = ProcessIdentity(pid: server.child.pid), await !identity.ended(within: .seconds(120)) {
        server.child.signal(SIGKILL)
      }
      _ = await server.child.exitStatus()
    }
    try? Files.removeTree(scratch)
  }

  // MARK: clients

  var environment: [String: String] { ["PAAS_DATA": data, "HOME": scratch] }

  @discardableResult
  func paas(_ arguments: [String], input: String = "", directory: String? = nil, limit: Duration = .seconds(600))
    async throws -> Outcome
  {
    try await Program.run(
      Self.binary, arguments, environment: environment, directory: directory, input: input, user: user, limit: limit)
  }

  func sshArguments(port: Int, key: String? = nil) -> [String] {
    [
      "-i", key ?? self.key, "-p", "\(port)", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new",
      "-o", "UserKnownHostsFile=\(scratch)/known_hosts", "-o", "LogLevel=ERROR", "-F", "/dev/null",
    ]
  }

  func ssh(_ words: [String], options: [String] = [], input: String = "") async throws -> Outcome {
    let arguments = sshArguments(port: try await port("ssh")) + options + ["paas@127.0.0.1"] + words
    return try await Program.run("/usr/bin/ssh", arguments, environment: ["HOME": scratch], input: input)
  }

  func gitEnvironment() async throws -> [String: String] {
    [
      "HOME": scratch, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
      "GIT_SSH_COMMAND": (["ssh"] + sshArguments(port: try await port("ssh"))).joined(separator: " "),
      "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@e", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@e",
    ]
  }

  @discardableResult
  func git(_ arguments: [String], in directory: String) async throws -> Outcome {
    try await Program.run("/usr/bin/git", arguments, environment: try await gitEnvironment(), directory: directory)
  }

  func get(_ path: String = "/", app: String) async throws -> Answer? {
    await HTTP.get(path, host: "\(app).localhost", port: try await port("http"))
  }

  /// The JSON that a command prints.
  func json<Value: Decodable>(_ type: Value.Type, _ arguments: [String]) async throws -> Value {
    let outcome = try await paas(arguments + ["--json"])
    #expect(outcome.status == 0, "\(outcome)")
    return try decode(type, outcome.out)
  }
}
