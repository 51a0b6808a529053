import FoundationEssentials
import Glibc
import Linux
import Logging
import Platform
import Synchronization
import Wire

@testable import GitReceiver

/// How a program ended.
struct Ended: Sendable {
  var status: Int32
  var output: [UInt8]
  var errors: String
  var text: String { String(decoding: output, as: UTF8.self) }
}

/// Runs a program to its end, with all of `input` on its stdin.
func execute(
  _ path: String, _ arguments: [String], environment: [String: String] = [:], directory: String? = nil,
  input: [UInt8] = []
) async throws -> Ended {
  let (stdin, stdout, stderr) = (try pipe(), try pipe(), try pipe())
  var request = ChildRequest(
    path: path, arguments: arguments, environment: environment, directory: directory,
    descriptors: [0: stdin.read, 1: stdout.write, 2: stderr.write])
  request.environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"
  let child = try Child.spawn(request)
  for end in [stdin.read, stdout.write, stderr.write] { close(end) }
  startThread {
    try? Files.writeAll(input, to: stdin.write, name: "a program's input")  // it may not want all of it
    close(stdin.write)
  }
  async let output = blocking { readAll(stdout.read) }
  async let errors = blocking { readAll(stderr.read) }
  let (bytes, text) = await (output, String(decoding: errors, as: UTF8.self))
  return Ended(status: await child.exitStatus(), output: bytes, errors: text)
}

private func readAll(_ descriptor: Int32) -> [UInt8] {
  defer { close(descriptor) }
  var result: [UInt8] = []
  var piece = [UInt8](repeating: 0, count: 64 << 10)
  while true {
    let count = read(descriptor, &piece, piece.count)
    if count > 0 { result += piece[..<count] } else if count == 0 || errno != EINTR { return result }
  }
}

/// Waits until the condition holds; false after five minutes: a hundred other tests may run.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
  let deadline = ContinuousClock.now + .seconds(300)
  while ContinuousClock.now < deadline {
    if condition() { return true }
    await Task.yield()
    await blocking { _ = poll(nil, 0, 5) }
  }
  return condition()
}

/// A receiver's SSH server on a free port, with a stub of the platform behind it, one known key, and a shell script in
/// the commands' place.
final class SSHHarness: Sendable {
  static let token = String(repeating: "ab", count: 32)

  let directory: String
  let stub: StubServer
  let server: SSHServer
  let port: UInt16
  let account = Account(id: AccountID(), email: "dev@example.org", isAdmin: false)
  private let listener: Int32

  var key: String { "\(directory)/known" }
  var unknownKey: String { "\(directory)/unknown" }

  init(
    keyType: [String] = ["-t", "ed25519"], publicKey: String? = nil,
    limits: SSHLimits = SSHLimits(),
    stubPause: Int32 = 0,
    platform: (@Sendable (StubServer.Request, _ repositories: Repositories) -> StubServer.Response)? = nil
  ) async throws {
    signal(SIGPIPE, SIG_IGN)
    let directory = "/tmp/paas-ssh-test-\(UInt32.random(in: 0 ... .max))"
    self.directory = directory
    try Files.makeDirectory("\(directory)/data", mode: 0o700)
    _ = try await execute("/usr/bin/ssh-keygen", ["-q", "-N", "", "-f", "\(directory)/known"] + keyType)
    _ = try await execute("/usr/bin/ssh-keygen", ["-q", "-N", "", "-f", "\(directory)/unknown", "-t", "ed25519"])
    let made = try Files.text("\(directory)/known.pub").split(separator: " ").prefix(2).joined(separator: " ")
    let known = publicKey ?? made
    let account = account
    let repositories = Repositories(directory: "\(directory)/data/repositories")
    stub = try StubServer(path: "\(directory)/receiver.sock", pauseMilliseconds: stubPause) { request in
      if request.path == ReceiverRoutes.sessions {
        let offer = try? Wire.decode(KeyOffer.self, from: .init(request.body))
        guard offer?.key == known else { return .error("not_found", "no such key", status: 404) }
        return .json(Session(account: account, token: Self.token))
      }
      if request.path == ReceiverRoutes.session { return .status(204, []) }
      return platform?(request, repositories) ?? .error("not_found", "no route \(request.path)", status: 404)
    }
    try writeProgram(Self.commands, to: "\(directory)/commands")
    for name in ["ssh_host_ed25519_key", "ssh_host_rsa_key"] {
      try Files.writeDurably(try Files.read("\(sharedHostKeys.get())/\(name)"), to: "\(directory)/data/\(name)")
    }
    (listener, port) = try listenOnLoopback()
    let client = ReceiverClient(socketPath: stub.path)
    var context = SSHSession.Context(
      client: client, repositories: repositories,
      commands: CommandEnvironment(program: "\(directory)/commands", socketPath: stub.path))
    context.limits = limits
    server = try SSHServer(
      listenDescriptor: listener, hostKeyDirectory: "\(directory)/data", context: context,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    try server.start()
  }

  deinit {
    server.stop()
    stub.stop()
    close(listener)
    try? Files.removeTree(directory)  // a leftover in /tmp fails no test
  }

  var options: [String] {
    [
      "-F", "none", "-p", "\(port)", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
      "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "ConnectTimeout=300",
    ]
  }

  /// Runs the stock client.
  func ssh(
    _ command: String..., key: String? = nil, user: String = "paas", options more: [String] = [],
    environment: [String: String] = [:], input: [UInt8] = []
  ) async throws -> Ended {
    let target = ["-i", key ?? self.key, "\(user)@127.0.0.1"]  // the first of two values counts: `more` goes before
    return try await execute("/usr/bin/ssh", more + options + target + command, environment: environment, input: input)
  }

  /// What the tests call commands: names that the grammar lets through.
  private static let commands = """
    #!/bin/sh
    command=$1; shift
    case "$command" in
      apps) exec cat;;
      ps) echo out; echo err >&2; exit 7;;
      ps:stop) kill -9 $$;;
      whoami) cat <&3;;
      config:set) for word in "$@"; do printf '[%s]\\n' "$word"; done;;
      run) case "$1" in
          sleep) sleep 20; exit 0;;
          wait) trap 'echo interrupted; exit 0' INT; echo waiting; while :; do sleep 0.1; done;;
        esac
        if [ -t 0 ]; then stty size; echo "$TERM"; else echo pipe; fi;;
      ps:exec) read line; echo "got $line";;
      version) env | sort; ls /proc/self/fd | wc -l;;
      logs) echo $$; exec sleep 1000;;
      releases) exec head -c 20000000 /dev/zero;;
      builds) head -c 1000 >/dev/null; echo enough;;
    esac

    """
}

/// Made once for all tests: an RSA key takes a second.
private let sharedHostKeys = Result { () throws -> String in
  let directory = "/tmp/paas-ssh-test-hostkeys-\(getpid())"
  try Files.makeDirectory(directory, mode: 0o700)
  atexit { try? Files.removeTree("/tmp/paas-ssh-test-hostkeys-\(getpid())") }  // a leftover in /tmp fails no test
  _ = try HostKeys(directory: directory)
  return directory
}

func listenOnLoopback() throws -> (Int32, UInt16) {
  let listener = try checked("make a socket") {
    socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
  }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  try checked("bind a port") {
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) }
    }
  }
  try checked("listen") { listen(listener, 1024) }
  try checked("read the port") {
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
    }
  }
  return (listener, UInt16(bigEndian: address.sin_port))
}
