import CLinux
import Glibc
import Linux

/// Runs a repository's own hooks (githooks(5)). Only `paas receive-pack` has one of these; repositories of the platform
/// run nothing.
struct HookRunner {
  /// How a hook ended.
  enum Outcome: Equatable {
    /// There is no such hook, or it may not be executed.
    case absent
    case exited(Int32)
    /// It is there and could not be started.
    case failed

    var isRefusal: Bool { self != .absent && self != .exited(0) }
  }

  /// The directory hooks run in.
  let repository: String
  /// `hooks`, or what `core.hooksPath` says.
  let hooksPath: String
  let environment: [String: String]
  let advises: Bool
  /// Where our own words about hooks go: standard error.
  let complain: (String) -> Void

  private func path(_ name: String) -> String { "\(hooksPath)/\(name)" }

  func exists(_ name: String) -> Bool {
    let path = path(name)
    let whole = path.hasPrefix("/") ? path : "\(repository)/\(path)"
    if access(whole, X_OK) == 0 { return true }
    if errno == EACCES, advises {
      complain(
        """
        hint: The '\(path)' hook was ignored because it's not set as executable.
        hint: You can disable this warning with `git config advice.ignoredHook false`.

        """)
    }
    return false
  }

  /// Runs one hook to its end. What it prints goes to `output` while it runs. It need not read its input.
  func run(
    _ name: String, _ arguments: [[UInt8]] = [], input: [UInt8] = [], extra: [String: String] = [:],
    output: ([UInt8]) throws -> Void
  ) throws -> Outcome {
    guard exists(name) else { return .absent }
    let (inRead, inWrite) = try makePipe()
    let (outRead, outWrite) = try makePipe()
    defer { close(outRead) }
    let pid: Int32
    do throws(SystemError) {
      defer {
        close(inRead)
        close(outWrite)
      }
      pid = try start(name, arguments.map { String(decoding: $0, as: UTF8.self) }, inRead, outWrite, extra)
    } catch {
      close(inWrite)
      complain("fatal: cannot run \(path(name)): \(String(cString: strerror(error.number)))\n")
      return .failed
    }
    startThread {
      // The only failure is a hook that ends without reading all of it, which is no error.
      try? Files.writeAll(input, to: inWrite, name: "a hook's input")
      close(inWrite)
    }
    try relay(outRead, output)
    return .exited(Self.wait(pid))
  }

  private func start(
    _ name: String, _ arguments: [String], _ input: Int32, _ output: Int32, _ extra: [String: String]
  ) throws(SystemError) -> Int32 {
    var request = ChildRequest(
      path: path(name), arguments: arguments, environment: environment.merging(extra) { $1 }, directory: repository,
      descriptors: [0: input, 1: output, 2: output])
    request.environment["GIT_DIR"] = "."
    request.newSession = false
    do throws(SystemError) {
      return try Child.spawn(request).pid
    } catch {
      guard error.number == ENOEXEC else { throw error }
      // A script without a first line that names its interpreter.
      request.path = "/bin/sh"
      request.arguments = [path(name)] + arguments
      return try Child.spawn(request).pid
    }
  }

  private func relay(_ file: Int32, _ output: ([UInt8]) throws -> Void) throws {
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = try checked("read a hook's output") { read(file, &buffer, buffer.count) }
      if count == 0 { return }
      try output(Array(buffer[..<count]))
    }
  }

  private static func wait(_ pid: Int32) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 { if errno != EINTR { return 255 } }
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}
