import CLinux
import Glibc
import Linux
import Platform
import Store
import Synchronization
import Wire

/// What a hook reads on its standard input, as JSON. Fields may be added, never changed.
struct HookEvent: Encodable, Sendable {
  struct AppName: Encodable { var id: String, name: String }
  struct Release: Encodable { var id: String, version: Int, description: String }

  var event = "pre-deploy"
  /// `deploy`, `config` or `rollback`.
  var action: String
  var app: AppName
  var release: Release
  var commit: String?
  var slug: String?
  var user: String
  var process_types: [String: String]

  init(_ app: AppRecord, _ release: ReleaseRecord) {
    action = release.kind.rawValue
    self.app = AppName(id: app.id.description, name: app.name.description)
    self.release = Release(
      id: release.id.description, version: release.version.number, description: release.description)
    commit = release.commit?.description
    slug = release.slug?.digest.description
    user = release.account.email
    process_types = Dictionary(uniqueKeysWithValues: release.processTypes.map { ($0.key.description, $0.value) })
  }
}

/// The operator's executables in `DATA/hooks/pre-deploy.d`, run one after the other in the order of their names.
struct Hooks: Sendable {
  /// Holds `pre-deploy.d`.
  var directory: String
  /// For each hook.
  var limit: Duration = .seconds(60)

  /// Throws ``DeployFailure`` (B05) when one refuses, does not start or takes too long; the rest is not run then.
  func preDeploy(_ event: HookEvent, output: PushOutput) async throws {
    let input = Array(try Wire.encode(event)) + [10]
    for name in try executables("pre-deploy.d") {
      let lines = LastLines()
      let path = "\(directory)/pre-deploy.d/\(name)"
      let result = try await run(path, input: input, app: event.app.name) { bytes in
        lines.add(bytes)
        output.write(bytes)
      }
      guard result != .exited(0) else { continue }
      throw DeployFailure(
        .hook, .hookRefused, "the pre-deploy hook '\(name)' \(result.text(limit))",
        evidence: output.isSilent ? lines.lines : [], next: "ask the operator of this installation")
    }
  }

  enum Result: Equatable {
    case exited(Int32), tookTooLong

    func text(_ limit: Duration) -> String {
      switch self {
      case .exited(let status): "refused (exit status \(status))"
      case .tookTooLong: "took longer than \(limit.components.seconds) seconds"
      }
    }
  }

  private func executables(_ event: String) throws -> [String] {
    let path = "\(directory)/\(event)"
    guard Files.exists(path) else { return [] }
    return try Files.names(in: path).filter { name in
      var info = stat()
      return !name.hasPrefix(".") && stat("\(path)/\(name)", &info) == 0 && info.st_mode & S_IFMT == S_IFREG
        && access("\(path)/\(name)", X_OK) == 0
    }.sorted()
  }

  private func run(_ path: String, input: [UInt8], app: String, emit: @escaping @Sendable ([UInt8]) -> Void)
    async throws
    -> Result
  {
    let limit = limit
    let (ended, ending) = try pipe()
    let started: (child: Child, output: Int32)
    do { started = try start(path, input: input, app: app) } catch {
      close(ended)
      close(ending)
      throw error
    }
    let (child, output) = started
    let exit = Task {
      let status = await child.exitStatus()
      close(ending)
      return status
    }
    let inTime = await blocking {
      defer {
        close(output)
        close(ended)
      }
      return pump(output, until: .now + limit, ended: ended, emit: emit)
    }
    if !inTime { child.signal(SIGKILL, group: true) }
    let status = await exit.value
    return inTime ? .exited(status) : .tookTooLong
  }

  private func start(_ path: String, input: [UInt8], app: String) throws -> (Child, Int32) {
    let (stdin, stdinWriter) = try pipe()
    defer { close(stdin) }
    do {
      // At most a few KiB, so they fit into the pipe before anybody reads, and no hook can make us a SIGPIPE.
      defer { close(stdinWriter) }
      try Files.writeAll(Array(input.prefix(60_000)), to: stdinWriter, name: "the hook's input")
    }
    let (reader, writer) = try pipe()
    defer { close(writer) }
    var request = ChildRequest(
      path: path, arguments: [], directory: "/", descriptors: [0: stdin, 1: writer, 2: writer])
    request.environment = [
      "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LANG": "C.UTF-8",
      "PAAS_EVENT": "pre-deploy", "PAAS_APP": app,
    ]
    do {
      return (try Child.spawn(request), reader)
    } catch {
      close(reader)
      throw DeployFailure(.hook, .hookRefused, error.message, next: "ask the operator of this installation")
    }
  }
}

/// Both ends close-on-exec: reader, writer.
func pipe() throws(SystemError) -> (Int32, Int32) {
  var ends: [Int32] = [-1, -1]
  try checkedNegative("make a pipe") { paas_pipe(&ends) }
  return (ends[0], ends[1])
}

/// Reads until the process has exited, which `ended` says by its end of file, and nothing is left to read; it may close
/// its output long before, and a grandchild may hold the other end for ever. `false` when the deadline came first.
/// Blocks.
private func pump(
  _ descriptor: Int32, until deadline: ContinuousClock.Instant, ended: Int32, emit: ([UInt8]) -> Void
) -> Bool {
  var buffer = [UInt8](repeating: 0, count: 16 << 10)
  var isOpen = true
  while ContinuousClock.now < deadline {
    // poll(2) passes over a descriptor of -1.
    var waiting = [isOpen ? descriptor : -1, ended].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    let left = (deadline - .now).components
    guard poll(&waiting, 2, Int32(clamping: left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000 + 1)) > 0
    else { continue }
    if waiting[0].revents != 0 {
      let count = read(descriptor, &buffer, buffer.count)
      isOpen = count > 0
      if isOpen { emit(Array(buffer[0..<count])) }
    } else if waiting[1].revents != 0 {
      return true
    }
  }
  return false
}

/// Keeps the last 20 lines of what passes.
final class LastLines: Sendable {
  private let text = Mutex<[UInt8]>([])

  func add(_ bytes: [UInt8]) {
    text.withLock { text in
      text.append(contentsOf: bytes)
      if text.count > 32 << 10 { text.removeFirst(text.count - (16 << 10)) }
    }
  }

  var lines: [String] {
    let text = text.withLock { String(decoding: $0, as: UTF8.self) }
    return text.split(separator: "\n").suffix(20).map(String.init)
  }
}
