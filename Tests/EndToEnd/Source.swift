import FoundationEssentials
import Linux
import Testing

func decode<Value: Decodable>(_ type: Value.Type, _ text: String) throws -> Value {
  try JSONDecoder().decode(type, from: Data(text.utf8))
}

/// A git work tree of a test, with a remote `paas`.
struct Source: Sendable {
  let installation: Installation
  let app: String
  var directory: String { installation.scratch + "/" + app }

  /// A copy of one of examples/, committed.
  static func example(_ name: String, as app: String, in installation: Installation) async throws -> Source {
    let source = try await empty(app, in: installation)
    let copied = try await Program.run("/bin/cp", ["-R", "\(Installation.root)/examples/\(name)/.", source.directory])
    #expect(copied.status == 0, "\(copied)")
    try await source.commit("first")
    return source
  }

  /// A repository with nothing in it yet.
  static func empty(_ app: String, in installation: Installation) async throws -> Source {
    let source = Source(installation: installation, app: app)
    try Files.makeDirectory(source.directory)
    try await installation.git(["init", "-q", "-b", "main"], in: source.directory)
    let url = "ssh://paas@127.0.0.1:\(try await installation.port("ssh"))/\(app).git"
    try await installation.git(["remote", "add", "paas", url], in: source.directory)
    return source
  }

  /// A Node app that answers `text` and needs no dependency: the fastest real push there is.
  static func node(_ app: String, answering text: String, in installation: Installation) async throws -> Source {
    let source = try await empty(app, in: installation)
    try source.write("package.json", #"{"name":"\#(app)","private":true}"#)
    try source.write("Procfile", "web: node server.js\n")
    try source.answer(text)
    try await source.commit("first")
    return source
  }

  /// The server of ``node(_:answering:in:)`` with another answer.
  func answer(_ text: String) throws {
    try write(
      "server.js",
      """
      const server = require('http').createServer((request, response) => response.end('\(text)'))
      server.listen(process.env.PORT, '0.0.0.0')
      process.on('SIGTERM', () => server.close(() => process.exit(0)))
      """)
  }

  func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws {
    let path = directory + "/" + name
    try Files.makeDirectory(path.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 })
    try Files.writeDurably(Array(text.utf8), to: path, mode: mode)
  }

  func commit(_ message: String) async throws {
    try await installation.git(["add", "-A"], in: directory)
    let made = try await installation.git(["commit", "-q", "--allow-empty", "-m", message], in: directory)
    #expect(made.status == 0, "\(made)")
  }

  func push(_ arguments: [String] = ["main"]) async throws -> Outcome {
    try await installation.git(["push", "paas"] + arguments, in: directory)
  }

  /// Pushes and expects success.
  @discardableResult
  func deploy() async throws -> Outcome {
    let pushed = try await push()
    #expect(pushed.status == 0, "\(pushed)")
    return pushed
  }

  func head() async throws -> String {
    try await installation.git(["rev-parse", "HEAD"], in: directory).out.trimmed
  }

  /// The app's repository on the server, looked at with the real git.
  func serverGit(_ arguments: [String]) async throws -> Outcome {
    struct Identified: Decodable { var id: String }
    let id = try await installation.json(Identified.self, ["apps:info", "-a", app]).id
    let repository = "\(installation.data)/receiver/repositories/\(id).git"
    return try await installation.git(
      ["-c", "safe.directory=*", "--git-dir", repository] + arguments, in: installation.scratch)
  }

  /// Where the server's ref stands; empty when there is none.
  func remoteTip() async throws -> String {
    let parsed = try await serverGit(["rev-parse", "--verify", "--quiet", "refs/heads/main"])
    return parsed.out.trimmed
  }
}

extension String {
  var trimmed: String {
    var text = Substring(self)
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text.drop { $0.isWhitespace })
  }
}
