import CLinux
import Glibc

/// How to start a program. Everything that is not said is closed or left out: the child inherits no descriptor and no
/// environment variable by accident.
public struct ChildRequest: Sendable {
  /// `nil`: this very program.
  public var path: String?
  /// `argv[1…]`; `argv[0]` is the path's last part.
  public var arguments: [String]
  public var environment: [String: String]
  public var directory: String?
  /// Descriptor in the child → descriptor here. Targets below 64. 0, 1 and 2 default to /dev/null.
  public var descriptors: [Int32: Int32]
  /// A session and process group of its own.
  public var newSession = true
  /// Sent to the child when the *thread* that spawns it ends.
  public var parentDeathSignal: Int32 = 0
  public var controllingTerminal = false
  /// For crun and conmon; see CLinux.h.
  public var hideHybridCgroups = false
  /// Drop to this user and group before the exec.
  public var user: (uid: UInt32, gid: UInt32)?

  public init(
    path: String?, arguments: [String], environment: [String: String] = [:], directory: String? = nil,
    descriptors: [Int32: Int32] = [:]
  ) {
    self.path = path
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
    self.descriptors = descriptors
  }
}

/// A child process of this one. Its end is waited for once, by ``exitStatus()``.
public struct Child: Sendable {
  public let pid: Int32

  /// Starts the program; returns after its exec has succeeded. Throws ``SystemError`` that names the failed step.
  public static func spawn(_ request: ChildRequest) throws(SystemError) -> Child {
    let name = request.path ?? "paas"
    let null = try checked("open '/dev/null'") { open("/dev/null", O_RDWR | O_CLOEXEC) }
    defer { close(null) }
    var descriptors = request.descriptors
    for standard in Int32(0)...2 where descriptors[standard] == nil { descriptors[standard] = null }
    let map = descriptors.map { paas_fd_map(from: $0.value, to: $0.key) }
    let argv = CStrings([String(name.split(separator: "/").last ?? "paas")] + request.arguments)
    let envp = CStrings(request.environment.map { "\($0.key)=\($0.value)" })
    var stage: UnsafePointer<CChar>?
    let pid = withOptionalCString(request.path) { path in
      withOptionalCString(request.directory) { directory in
        map.withUnsafeBufferPointer { map in
          var raw = paas_spawn_request()
          raw.path = path
          raw.argv = UnsafePointer(argv.pointers)
          raw.envp = UnsafePointer(envp.pointers)
          raw.cwd = directory
          raw.fds = map.baseAddress
          raw.fd_count = map.count
          raw.new_session = request.newSession
          raw.parent_death_signal = request.parentDeathSignal
          raw.controlling_terminal = request.controllingTerminal
          raw.hide_hybrid_cgroups = request.hideHybridCgroups
          raw.uid = request.user.map { Int64($0.uid) } ?? -1
          raw.gid = request.user.map { Int64($0.gid) } ?? -1
          return paas_spawn(&raw, &stage)
        }
      }
    }
    if pid < 0 {
      throw SystemError("start '\(name)' (\(stage.map { String(cString: $0) } ?? "?"))", -pid)
    }
    return Child(pid: pid)
  }

  /// Waits for the end on a thread of its own; 128 + signal when a signal ended it. Call it once.
  @discardableResult
  public func exitStatus() async -> Int32 {
    await blocking {
      var status: Int32 = 0
      while waitpid(pid, &status, 0) < 0 {
        if errno != EINTR { return 255 }
      }
      let signal = status & 0x7F
      return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }
  }

  /// Sends a signal to the process, or with `group` to its whole process group. A process that is gone is no error.
  public func signal(_ number: Int32, group: Bool = false) {
    kill(group ? -pid : pid, number)
  }
}

/// Runs blocking work on a thread of its own, never on Swift's cooperative pool.
public func blocking<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
  await withCheckedContinuation { continuation in
    startThread { continuation.resume(returning: work()) }
  }
}

/// Runs blocking work that can fail on a thread of its own.
public func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    startThread { continuation.resume(with: Result { try work() }) }
  }
}

/// Starts a detached thread with a 512 KiB stack. Where the system has no thread to give, the work runs here.
public func startThread(stackSize: Int = 512 << 10, _ work: @escaping @Sendable () -> Void) {
  final class Box {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
  pthread_attr_setstacksize(&attributes, stackSize)
  defer { pthread_attr_destroy(&attributes) }
  let box = Unmanaged.passRetained(Box(work))
  var thread = pthread_t()
  let result = pthread_create(
    &thread, &attributes,
    { argument in
      guard let argument else { return nil }
      Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().work()
      return nil
    }, box.toOpaque())
  if result != 0 { box.takeRetainedValue().work() }
}

/// A NULL-terminated array of C strings, freed with its owner.
private final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    pointers = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
    pointers[count] = nil
  }

  deinit {
    for index in 0..<count { free(pointers[index]) }
    pointers.deallocate()
  }
}

private func withOptionalCString<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
  guard let text else { return body(nil) }
  return text.withCString { body($0) }
}

/// A pipe, both ends close-on-exec.
public func makePipe() throws(SystemError) -> (reading: Int32, writing: Int32) {
  var ends: [Int32] = [-1, -1]
  try checkedNegative("make a pipe") { paas_pipe(&ends) }
  return (ends[0], ends[1])
}
