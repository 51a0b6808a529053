import CLinux
import Glibc
import Linux
public import Platform
import Sandbox
import Synchronization

/// A one-off process, attached to this one through pipes or a terminal.
final class OneOffRun: RunningOneOff {
  let input: Int32
  let output: Int32
  let errors: Int32?
  private let process: SandboxProcess
  /// A descriptor of our own for the terminal, because the caller closes its own when it likes.
  private let terminal: Mutex<Int32?>
  private let home: String

  init(_ ends: OneOffEnds, process: SandboxProcess, home: String) {
    input = ends.input
    output = ends.output
    errors = ends.errors
    terminal = Mutex(ends.terminal)
    self.process = process
    self.home = home
  }

  func resize(_ size: TerminalSize) {
    terminal.withLock { terminal in
      if let terminal { _ = paas_resize_terminal(terminal, size.columns, size.rows) }
    }
  }

  func signal(_ number: Int32) { process.signal(number) }

  func exitStatus() async -> Int {
    let status = await process.exitStatus()
    terminal.withLock { terminal in
      if let open = terminal { close(open) }
      terminal = nil
    }
    await blocking { [home] in _ = try? Files.removeTree(home) }  // the next server sweeps what stays
    return status
  }
}

/// The descriptors of a one-off: ours, and those for the process, which are closed here once it has them.
struct OneOffEnds {
  var input: Int32
  var output: Int32
  var errors: Int32?
  var terminal: Int32?
  var inner: [Int32] = []

  /// Three pipes.
  init() throws {
    var ends: [Int32] = []
    for _ in 0..<3 {
      var pair: [Int32] = [-1, -1]
      do { try checkedNegative("make a pipe") { paas_pipe(&pair) } } catch {
        for end in ends { close(end) }
        throw error
      }
      ends += pair
    }
    (input, output, errors) = (ends[1], ends[2], ends[4])
    inner = [ends[0], ends[3], ends[5]]
  }

  init(terminal master: Int32) {
    input = master
    output = fcntl(master, F_DUPFD_CLOEXEC, 3)
    terminal = fcntl(master, F_DUPFD_CLOEXEC, 3)
  }

  func closeInner() { for descriptor in inner { close(descriptor) } }

  func closeOuter() {
    for descriptor in [input, output, errors, terminal] {
      if let descriptor { close(descriptor) }
    }
  }
}

extension LocalEngine {
  public func runOnce(_ oneOff: OneOff) async throws -> any RunningOneOff {
    let lower = try await ready(app: oneOff.app.id, slug: oneOff.slug)
    let user = sandbox.capabilities.perAppUsers ? await configuration.uidForApp(oneOff.app.id) : 0
    let home = directory.oneOff(oneOff.id)
    let app = SandboxMount(.overlay(lower: lower, upper: "\(home)/upper", work: "\(home)/work"), at: "/app")
    var environment = Bootstrap.environment(oneOff.environment, name: oneOff.name, port: nil)
    if oneOff.terminal != nil, environment["TERM"] == nil { environment["TERM"] = "xterm-256color" }
    let spec = SandboxSpec(
      id: sandbox.identifier("run-\(oneOff.id)"), arguments: Bootstrap.arguments(oneOff.command),
      environment: environment, hostUser: user, mounts: [app], hostname: oneOff.id.description,
      terminal: oneOff.terminal, limits: configuration.limits)
    try await blocking { [sandbox] in
      try EngineDirectory.makeEnterable(home)
      for layer in ["upper", "work"] { try sandbox.makeDirectory("\(home)/\(layer)", for: user) }
      try sandbox.writeBundle(spec, at: "\(home)/bundle")
    }
    do {
      return try await attach(spec, home: home)
    } catch {
      await blocking { _ = try? Files.removeTree(home) }  // the cause counts
      throw BootFailure.sandbox((error as? any Explained)?.message ?? "\(error)")
    }
  }

  private func attach(_ spec: SandboxSpec, home: String) async throws -> OneOffRun {
    if spec.terminal != nil {
      let process = try await sandbox.start(spec, bundle: "\(home)/bundle")
      guard let master = process.terminal else { throw SandboxError.refused(id: spec.id, reason: "no terminal") }
      return OneOffRun(OneOffEnds(terminal: master), process: process, home: home)
    }
    let ends = try OneOffEnds()
    defer { ends.closeInner() }
    do {
      let process = try await sandbox.start(
        spec, bundle: "\(home)/bundle", stdin: ends.inner[0], stdout: ends.inner[1], stderr: ends.inner[2])
      return OneOffRun(ends, process: process, home: home)
    } catch {
      ends.closeOuter()
      throw error
    }
  }
}
