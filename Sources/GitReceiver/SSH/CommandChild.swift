import CLinux
import Glibc
import Linux

/// What every command over SSH has in common: the program, and how its child reaches the server.
struct CommandEnvironment: Sendable {
  /// `nil`: this very program. Tests name another.
  var program: String?
  /// The socket that the child calls the API on, with its session's token.
  var socketPath: String
  var base: [String: String] = [:]

  func variables(terminal: ChannelTask.Terminal?) -> [String: String] {
    var result = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"]
    result.merge(base) { $1 }
    result["PAAS_HOST"] = "unix:\(socketPath)"
    result["PAAS_SESSION_FD"] = "3"
    result["PAAS_OVER_SSH"] = "1"
    if let name = terminal?.name, !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
      result["TERM"] = name
    }
    return result
  }
}

/// One command over SSH: a child `paas COMMAND`, so that its exit or crash ends this session only. Owns the child's
/// pipes (or terminal) and waits for its end.
final class CommandChild {
  private let child: Child
  private let endDescriptor: Int32
  private(set) var exitStatus: Int32?
  /// -1 once closed. With a terminal, input and output are its master side.
  private(set) var input: Int32
  private(set) var output: Int32
  private(set) var error: Int32
  let hasTerminal: Bool

  /// Starts the command. Throws ``SystemError``; nothing is left over then.
  init(
    _ name: String, _ arguments: [String], token: String, terminal: ChannelTask.Terminal?,
    environment: CommandEnvironment
  ) throws(SystemError) {
    var ours = Descriptors()
    var theirs = Descriptors()
    defer { theirs.closeAll() }
    do throws(SystemError) {
      let secret = try pipe()
      theirs.add(secret.read)
      ours.add(secret.write)
      try Files.writeAll(Array(token.utf8), to: secret.write, name: "the session's token")
      ours.close(secret.write)
      var request = ChildRequest(
        path: environment.program, arguments: [name] + arguments,
        environment: environment.variables(terminal: terminal), directory: "/")
      request.parentDeathSignal = SIGKILL
      request.controllingTerminal = terminal != nil
      if let terminal {
        (input, output, error) = try Self.openTerminal(terminal, &request, &ours, &theirs)
      } else {
        (input, output, error) = try Self.openPipes(&request, &ours, &theirs)
      }
      request.descriptors[3] = secret.read
      child = try Child.spawn(request)
      hasTerminal = terminal != nil
      endDescriptor = paas_pidfd_open(child.pid)
    } catch {
      ours.closeAll()
      throw error
    }
  }

  deinit {
    for descriptor in Set([input, output, error, endDescriptor]) where descriptor >= 0 { close(descriptor) }
  }

  private typealias Streams = (Int32, Int32, Int32)

  private static func openPipes(
    _ request: inout ChildRequest, _ ours: inout Descriptors, _ theirs: inout Descriptors
  ) throws(SystemError) -> Streams {
    let pipes = (try pipe(), try pipe(), try pipe())
    for end in [pipes.0.write, pipes.1.read, pipes.2.read] { ours.add(end) }
    for end in [pipes.0.read, pipes.1.write, pipes.2.write] { theirs.add(end) }
    request.descriptors = [0: pipes.0.read, 1: pipes.1.write, 2: pipes.2.write]
    for end in [pipes.0.write, pipes.1.read, pipes.2.read] { try setNonBlocking(end) }
    return (pipes.0.write, pipes.1.read, pipes.2.read)
  }

  private static func openTerminal(
    _ terminal: ChannelTask.Terminal, _ request: inout ChildRequest, _ ours: inout Descriptors,
    _ theirs: inout Descriptors
  ) throws(SystemError) -> Streams {
    var master: Int32 = -1
    var slave: Int32 = -1
    try checkedNegative("open a terminal") { paas_open_terminal(&master, &slave, terminal.columns, terminal.rows) }
    ours.add(master)
    theirs.add(slave)
    request.descriptors = [0: slave, 1: slave, 2: slave]
    try setNonBlocking(master)
    return (master, master, -1)
  }

  func resize(columns: UInt16, rows: UInt16) {
    if hasTerminal, output >= 0 { paas_resize_terminal(output, columns, rows) }
  }

  func closeInput() {
    guard input >= 0, !hasTerminal else { return }
    close(input)
    input = -1
  }

  func closeOutput() {
    guard output >= 0 else { return }
    close(output)
    output = -1
    if hasTerminal { input = -1 }
  }

  func closeError() {
    guard error >= 0 else { return }
    close(error)
    error = -1
  }

  /// Readable when the child has ended.
  var endPoll: pollfd { pollfd(fd: exitStatus == nil ? endDescriptor : -1, events: Int16(POLLIN), revents: 0) }

  /// Takes the exit status if the child has ended: 128 + signal when a signal ended it.
  func reap(waiting: Bool = false) {
    guard exitStatus == nil else { return }
    var status: Int32 = 0
    var result: Int32
    repeat { result = waitpid(child.pid, &status, waiting ? 0 : WNOHANG) } while result < 0 && errno == EINTR
    if result == child.pid {
      let signal = status & 0x7F
      exitStatus = signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    } else if result < 0 {
      exitStatus = 255
    }
  }

  /// The client has gone: hang up, and kill what does not listen.
  func end(grace: Duration = .seconds(3)) {
    closeInput()
    closeOutput()
    closeError()
    reap()
    guard exitStatus == nil else { return }
    child.signal(SIGHUP, group: true)
    var end = [endPoll]
    _ = poll(&end, 1, milliseconds(until: .now + grace))
    reap()
    guard exitStatus == nil else { return }
    child.signal(SIGKILL, group: true)
    reap(waiting: true)
  }
}

/// Descriptors that must not outlive a failure.
struct Descriptors {
  private var open: Set<Int32> = []

  mutating func add(_ descriptor: Int32) { open.insert(descriptor) }

  mutating func close(_ descriptor: Int32) {
    if open.remove(descriptor) != nil { Glibc.close(descriptor) }
  }

  mutating func closeAll() {
    for descriptor in open { Glibc.close(descriptor) }
    open = []
  }
}

func pipe() throws(SystemError) -> (read: Int32, write: Int32) {
  var ends: [Int32] = [-1, -1]
  try checkedNegative("open a pipe") { paas_pipe(&ends) }
  return (ends[0], ends[1])
}

func setNonBlocking(_ descriptor: Int32) throws(SystemError) {
  let flags = try checked("read the flags of a descriptor") { fcntl(descriptor, F_GETFL) }
  try checked("set the flags of a descriptor") { fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
}
