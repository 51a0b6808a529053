import Glibc
import Linux
import Platform
import Testing

@testable import Sandbox

@Suite(.tags(.sandbox), .enabled("no sandbox here") { await SandboxAvailability.current() })
struct SandboxTests {
  /// What one process in a sandbox wrote and how it ended.
  struct Outcome {
    var status: Int
    var output: String
  }

  let temporary = TemporaryDirectory("sandbox")
  var directory: String { temporary.path }
  let sandbox: Sandbox

  init() async {
    let directory = temporary.path
    sandbox = await Sandbox.probe(stateDirectory: "\(directory)/crun", installation: InstallationID())
  }

  func run(
    _ script: String, environment: [String: String] = ["PATH": "/usr/bin:/bin"], mounts: [SandboxMount] = [],
    input: Int32? = nil, extra: [Int32: Int32] = [:]
  ) async throws -> Outcome {
    let bundle = "\(directory)/bundle-\(UInt32.random(in: 0 ... .max))"
    let spec = SandboxSpec(
      id: sandbox.identifier("t\(UInt32.random(in: 0 ... .max))"), arguments: ["/bin/sh", "-c", script],
      environment: environment, hostUser: 71_001, mounts: mounts)
    try sandbox.writeBundle(spec, at: bundle)
    let output = try Pipe()
    let process = try await sandbox.start(
      spec, bundle: bundle, stdin: input, stdout: output.write, stderr: output.write, extra: extra)
    output.closeWriteEnd()
    let text = await blocking { output.readToEnd() }
    let status = await process.exitStatus()
    #expect(!Files.exists(bundle))
    #expect(await sandbox.list().isEmpty)
    return Outcome(status: status, output: text)
  }

  @Test("a process runs as uid 1000 with only the environment it was given, and its status comes back")
  func runs() async throws {
    let outcome = try await run("id -u; env; exit 7", environment: ["GREETING": "hé=\"llo\n\\ x"])
    #expect(outcome.status == 7)
    #expect(outcome.output.hasPrefix("1000; "))
    #expect(outcome.output.contains("GREETING=hé=\"llo; \\ x"))
    #expect(outcome.output.contains("HOME=/app"))  // the runtime adds it
    #expect(!outcome.output.contains("TZ="))
  }

  @Test("a signal's end is 128 and its number")
  func signalStatus() async throws {
    #expect(try await run("kill -9 $$").status == 137)
  }

  @Test("the host's secrets do not exist inside, and /usr cannot be written")
  func walls() async throws {
    let outcome = try await run(
      "for f in /root /home /var/lib /etc/shadow /sys/kernel /boot; do test -e $f && echo found $f; done; "
        + "touch /usr/x 2>/dev/null && echo wrote; touch /x 2>/dev/null && echo wrote; echo done")
    #expect(outcome.output == "done")
  }

  @Test("no capability, no new privileges, and no host process is visible")
  func privileges() async throws {
    let outcome = try await run(
      "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ls /proc | grep -c '^[0-9]'")
    #expect(outcome.output.contains("CapEff:\t0000000000000000"))
    #expect(outcome.output.contains("CapBnd:\t0000000000000000"))
    #expect(outcome.output.contains("NoNewPrivs:\t1"))
    #expect(outcome.output.contains("Seccomp:\t2"))
    #expect(outcome.output.split(separator: " ").last.flatMap { Int($0) } ?? 99 <= 5)
  }

  @Test("new namespaces, mounts, tracing and raw sockets are refused; threads, pipes and sockets work")
  func systemCalls() async throws {
    let script = """
      import ctypes, os, socket, threading, subprocess, multiprocessing.synchronize
      libc = ctypes.CDLL(None, use_errno=True)
      calls = [("unshare", (0x10000000,)), ("mount", (0, 0, 0, 0, 0)), ("ptrace", (0, 0, 0, 0)), ("setns", (0, 0))]
      for name, args in calls:
        assert getattr(libc, name)(*args) == -1 and ctypes.get_errno() == 1, name
      assert libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) == -1 and ctypes.get_errno() == 38, "clone"
      assert libc.syscall(9999) == -1 and ctypes.get_errno() == 38, "unknown"
      for family in (17, 38, 40):
        try: socket.socket(family, socket.SOCK_RAW); raise SystemExit("family %d" % family)
        except OSError: pass
      t = threading.Thread(target=lambda: None); t.start(); t.join()
      s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
      socket.create_connection(s.getsockname()).close()
      multiprocessing.synchronize.Lock(ctx=multiprocessing.get_context())
      os.mkfifo("/tmp/fifo")
      print(subprocess.check_output(["echo", "fine"]).decode().strip())
      """
    let outcome = try await run("exec /usr/bin/python3 - <<'END'\n\(script)\nEND")
    #expect(outcome.output == "fine")
    #expect(outcome.status == 0)
  }

  @Test("input cannot be pushed into a terminal, whatever the upper half of the number says")
  func pushInput() async throws {
    let numbers = ["0x5412", "0x100005412", "0xFFFFFFFF00005412", "0x5413", "0x5401", "0xFFFFFFFF00005401"]
    let script = """
      import ctypes, sys
      ioctl = ctypes.CDLL(None, use_errno=True).ioctl
      for number in sys.argv[1:]:
          ioctl(0, ctypes.c_ulong(int(number, 16)), ctypes.create_string_buffer(64)); print(ctypes.get_errno())
      """
    let outcome = try await run("exec python3 -c '\(script)' " + numbers.joined(separator: " "))
    // ENOSYS is the filter's word, ENOTTY the kernel's about /dev/null.
    #expect(outcome.output == "38; 38; 38; 25; 25; 25")
  }

  @Test("an overlay is writable and its lower layer stays as it was")
  func overlay() async throws {
    for layer in ["upper", "work"] { try sandbox.makeDirectory("\(directory)/\(layer)", for: 71_001) }
    try Files.makeDirectory("\(directory)/lower")
    try Files.writeDurably("one".utf8, to: "\(directory)/lower/file", mode: 0o644)
    let overlay = SandboxMount.Kind.overlay(
      lower: "\(directory)/lower", upper: "\(directory)/upper", work: "\(directory)/work")
    let outcome = try await run("cat file; echo two > new; rm -f file; ls", mounts: [SandboxMount(overlay, at: "/app")])
    #expect(outcome.output == "onenew")
    #expect(try Files.text("\(directory)/lower/file") == "one")
    #expect(try Files.text("\(directory)/upper/new") == "two\n")
  }

  @Test("descriptors beside the three reach the process, and no other does")
  func extraDescriptors() async throws {
    let result = try Pipe()
    let outcome = try await run("echo summary >&3; ls /proc/self/fd | wc -l", extra: [3: result.write])
    result.closeWriteEnd()
    #expect(result.readToEnd() == "summary")
    #expect(outcome.output == "5")  // 0, 1, 2, 3 and the directory that ls reads
  }

  @Test("a program finds its libraries inside, a debug build's outside /usr too")
  func ownProgram() async throws {
    let mounts = sandbox.mounts(program: try Machine.executablePath())
    let outcome = try await run("ldd \(SandboxMount.programPath) || echo bad", mounts: mounts)
    #expect(outcome.output.contains("libc.so"))
    #expect(!outcome.output.contains("not found") && !outcome.output.contains("bad"))
  }

  @Test("a forked-off grandchild dies with the process")
  func grandchild() async throws {
    let marker = "86\(UInt32.random(in: 100_000...999_999))"
    let outcome = try await run("setsid sleep \(marker) >/dev/null 2>&1 & sleep 0.1; echo started")
    #expect(outcome.output == "started")
    #expect(!runningCommands().contains { $0.contains(marker) })
  }

  @Test("destroying a running container ends it, and destroying it again is no error")
  func destroy() async throws {
    let bundle = "\(directory)/bundle"
    let spec = SandboxSpec(
      id: sandbox.identifier("long"), arguments: ["/bin/sleep", "1000"], hostUser: 71_001, mounts: [])
    try sandbox.writeBundle(spec, at: bundle)
    let process = try await sandbox.start(spec, bundle: bundle)
    #expect(await sandbox.list() == [spec.id])
    #expect(sandbox.initialProcess(of: spec.id)?.isAlive == true)
    await sandbox.destroy(id: spec.id)
    await sandbox.destroy(id: spec.id)
    #expect(await process.exitStatus() == 137)
    #expect(await sandbox.list().isEmpty)
  }

  @Test("a sandbox that cannot start says why, and leaves nothing behind")
  func refused() async throws {
    let bundle = "\(directory)/bundle"
    let overlay = SandboxMount.Kind.overlay(lower: "/nowhere", upper: directory, work: directory)
    let spec = SandboxSpec(
      id: sandbox.identifier("bad"), arguments: ["/bin/true"], hostUser: 71_001,
      mounts: [SandboxMount(overlay, at: "/app")])
    try sandbox.writeBundle(spec, at: bundle)
    let error = await #expect(throws: SandboxError.self) { _ = try await sandbox.start(spec, bundle: bundle) }
    #expect(error?.message.contains("overlay") == true)
    #expect(!Files.exists(bundle))
    #expect(await sandbox.list().isEmpty)
  }

  @Test("a layer's path that would break the mount's options is refused")
  func strangePaths() throws {
    let overlay = SandboxMount(.overlay(lower: "/a:b", upper: "/u", work: "/w"), at: "/app")
    let spec = SandboxSpec(id: "x", arguments: [], hostUser: 1, mounts: [overlay])
    #expect(throws: SandboxError.self) { try sandbox.writeBundle(spec, at: "\(directory)/bundle") }
    let outside = SandboxMount(.tmpfs(megabytes: 1), at: "/app/../../etc")
    let escape = SandboxSpec(id: "x", arguments: [], hostUser: 1, mounts: [outside])
    #expect(throws: SandboxError.self) { try sandbox.writeBundle(escape, at: "\(directory)/bundle") }
  }

  private func runningCommands() -> [String] {
    let pids = ((try? Files.names(in: "/proc")) ?? []).filter { Int32($0) != nil }
    return pids.map { (try? Files.text("/proc/\($0)/cmdline")) ?? "" }
  }
}

@Suite struct ProbeTests {
  @Test("a machine without crun cannot run apps, and the reason names the package")
  func missingPrograms() async {
    let sandbox = await Sandbox.probe(
      stateDirectory: "/nowhere", installation: InstallationID(), searchPath: "/nowhere")
    #expect(!sandbox.capabilities.canRun)
    #expect(sandbox.capabilities.missing.contains("'crun' is not installed: apt-get install crun"))
  }

  @Test("a runtime that never answers is killed")
  func hangingRuntime() async throws {
    let temporary = TemporaryDirectory("runtime")
    let program = temporary.path + "/runtime"
    try Files.writeDurably("#!/bin/sh\nexec sleep 1000\n".utf8, to: program, mode: 0o755)
    var hanging = Sandbox(
      capabilities: EngineCapabilities(canRun: true, missing: [], perAppUsers: false, resourceLimits: false),
      prefix: "paas-test", stateDirectory: temporary.path,
      programs: .init(runtime: program, monitor: program, initializer: program))
    hanging.patience = .milliseconds(200)
    let answer = try await hanging.runtime(["start", "x"])
    #expect(answer.status == 137)
    #expect(answer.errors.contains("no answer"))
  }

  @Test("root that cannot give apps users of their own may not run them")
  func weakRoot() {
    #expect(Sandbox.refusal(uid: 0, mayMount: false)?.contains("plain user") == true)
    #expect(Sandbox.refusal(uid: 0, mayMount: true) == nil)
    #expect(Sandbox.refusal(uid: 1000, mayMount: false) == nil)
  }

  @Test("two installations that were made in the same minute have different container names")
  func prefixes() async {
    let first = await Sandbox.probe(stateDirectory: "/x", installation: InstallationID(), searchPath: "/nowhere")
    let second = await Sandbox.probe(stateDirectory: "/x", installation: InstallationID(), searchPath: "/nowhere")
    #expect(first.identifier("a") != second.identifier("a"))
  }
}
