import Glibc
import Linux

/// What a program said and how it ended.
struct Outcome: CustomStringConvertible, Sendable {
  var status: Int32
  var out: String
  var err: String
  var description: String { "status \(status)\n--- stdout\n\(out)\n--- stderr\n\(err)" }
}

/// Runs real programs with their output caught.
enum Program {
  /// Runs to the end; after `limit` the process group is killed and the status is 137.
  static func run(
    _ path: String, _ arguments: [String], environment: [String: String] = [:], directory: String? = nil,
    input: String = "", user: (uid: UInt32, gid: UInt32)? = nil, limit: Duration = .seconds(600)
  ) async throws -> Outcome {
    let running = try start(path, arguments, environment: environment, directory: directory, input: input, user: user)
    return await running.outcome(within: limit)
  }

  static func start(
    _ path: String, _ arguments: [String], environment: [String: String] = [:], directory: String? = nil,
    input: String = "", user: (uid: UInt32, gid: UInt32)? = nil
  ) throws -> RunningProgram {
    let (inRead, inWrite) = try makePipe()
    let (outRead, outWrite) = try makePipe()
    let (errRead, errWrite) = try makePipe()
    var all = ["PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/nonexistent"]
    all.merge(environment) { $1 }
    for kept in ["LD_LIBRARY_PATH", "SWIFT_BACKTRACE"] where all[kept] == nil { all[kept] = Machine.environment[kept] }
    var request = ChildRequest(
      path: path, arguments: arguments, environment: all, directory: directory,
      descriptors: [0: inRead, 1: outWrite, 2: errWrite])
    request.user = user
    defer { for descriptor in [inRead, outWrite, errWrite] { close(descriptor) } }
    let child = try Child.spawn(request)
    let bytes = Array(input.utf8)
    startThread {
      try? Files.writeAll(bytes, to: inWrite, name: "stdin")  // a program may end without reading all of it
      close(inWrite)
    }
    return RunningProgram(child: child, out: Collector(outRead), err: Collector(errRead))
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

struct RunningProgram: Sendable {
  let child: Child
  let out: Collector
  let err: Collector

  func outcome(within limit: Duration = .seconds(600)) async -> Outcome {
    let identity = ProcessIdentity(pid: child.pid)
    if let identity, await !identity.ended(within: limit) { child.signal(SIGKILL, group: true) }
    let status = await child.exitStatus()
    await out.closed(within: .seconds(60))
    await err.closed(within: .seconds(60))
    return Outcome(status: status, out: out.text, err: err.text)
  }
}

/// Collects what arrives at a descriptor until its end. The lock guards the bytes and the flag.
final class Collector: @unchecked Sendable {
  private var bytes: [UInt8] = []
  private var ended = false
  private var lock = pthread_mutex_t()

  init(_ descriptor: Int32) {
    pthread_mutex_init(&lock, nil)
    startThread { [self] in
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        if count <= 0 { break }
        locked { bytes += buffer[0..<count] }
      }
      close(descriptor)
      locked { ended = true }
    }
  }

  var text: String { locked { String(decoding: bytes, as: UTF8.self) } }

  func closed(within limit: Duration) async {
    let deadline = ContinuousClock.now + limit
    while !locked({ ended }), ContinuousClock.now < deadline { await pause(milliseconds: 5) }
  }

  private func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(&lock)
    defer { pthread_mutex_unlock(&lock) }
    return body()
  }
}
