import Archive
import Glibc
import Linux
import Platform
import Sandbox
import Testing

@testable import Buildpacks

@Suite("A build", .tags(.sandbox), .enabled("no sandbox here") { await SandboxAvailability.current() })
struct SlugBuilderTests {
  let bench: BuildBench

  init() async throws { bench = try await BuildBench() }

  private func expectFailure(
    _ code: FailureCode, _ request: BuildRequest, _ builder: SlugBuilder, printed: Printed = Printed()
  ) async throws -> DeployFailure? {
    let failure = await #expect(throws: DeployFailure.self) { try await builder.build(request, output: printed.add) }
    #expect(failure?.code == code, "\(String(describing: failure)) \(printed.text)")
    #expect(!Files.exists("\(request.workDirectory)/app"))
    #expect(try !Files.names(in: bench.path).contains("slugs") || Files.names(in: "\(bench.path)/slugs").isEmpty)
    #expect(await bench.sandbox.list().isEmpty)
    return failure
  }

  @Test("leaves a durable slug of the compiled tree, named by its SHA-256, and prints what a push shows")
  func builds() async throws {
    let share = try bench.share(
      compile: "echo \"$1\" \"$2\" > \"$1/made\"; cat \"$3/GREETING\" > \"$1/greeting\"; id -u")
    let tar = try bench.tar(
      ["Procfile": "web: ./run\nworker: ./work\n", "keep": "k", "art/big.psd": "x", ".slugignore": "*.psd\n"])
    let printed = Printed()
    let value = "two\nlines \"and\" $quotes\n"
    let result = try await bench.builder(share: share).build(
      bench.request(tar: tar, configVars: ["GREETING": value]), output: printed.add)
    #expect(result.buildpack == "Test")
    #expect(result.processTypes == [.web: "./run", try ProcessType("worker"): "./work"])
    #expect(result.stack.id == "host")
    #expect(try bench.sha256(bench.slugPath(result.slug)) == result.slug.digest.description)
    let app = try bench.unpacked(result.slug)
    #expect(try Files.text("\(app)/made") == "/app /cache\n")
    #expect(try Files.text("\(app)/greeting") == value)
    #expect(Files.exists("\(app)/keep"))
    #expect(!Files.exists("\(app)/art/big.psd"))
    let lines = printed.text.split(separator: "\n").map(String.init)
    #expect(
      lines.prefix(4) == [
        "-----> Removed 1 files and directories named by .slugignore", "-----> Test app detected", "1000",
        "-----> Discovering process types",
      ])
    #expect(lines.dropFirst(4).prefix(2) == ["       Procfile declares types -> web, worker", "-----> Compressing..."])
    #expect(lines.last?.hasPrefix("       Done: ") == true)
  }

  @Test("that no buildpack wants fails with B01 and says who was asked")
  func nothingDetected() async throws {
    let tar = try bench.tar(["README": "x"])
    let failure = try await expectFailure(.noBuildpack, bench.request(tar: tar), bench.builder())
    #expect(failure?.phase == .detect)
    #expect(failure?.message.contains("ruby, python, node") == true)
  }

  @Test("whose compile step fails is B02 with its last lines, and keeps no slug")
  func compileFails() async throws {
    let share = try bench.share(compile: "for n in $(seq 40); do echo line $n; done; echo boom >&2; exit 3")
    let printed = Printed()
    let failure = try await expectFailure(
      .buildFailed, bench.request(tar: bench.tar(["a": "b"])), bench.builder(share: share), printed: printed)
    #expect(failure?.message == "compile step of the Test buildpack ended with status 3")
    #expect(failure?.evidence.count == 20)
    #expect(failure?.evidence.last == "boom")
    #expect(printed.text.contains("line 1\n"))
  }

  @Test("with a bad Procfile is B07 before anything is compiled")
  func badProcfile() async throws {
    let share = try bench.share(compile: "echo compiling")
    let printed = Printed()
    _ = try await expectFailure(
      .badProcfile, bench.request(tar: bench.tar(["Procfile": "web gunicorn\n"])), bench.builder(share: share),
      printed: printed)
    #expect(!printed.text.contains("compiling"))
  }

  @Test("of a source with a link out of its tree is B03")
  func sourceRefused() async throws {
    let tar = try bench.tar(["requirements.txt": ""], links: ["up": "../../etc/passwd"])
    let failure = try await expectFailure(.sourceRefused, bench.request(tar: tar), bench.builder())
    #expect(failure?.phase == .source)
    #expect(failure?.message.contains("'up'") == true)
  }

  @Test("of a source over its limits is B03")
  func sourceTooLarge() async throws {
    let limits = BuildLimits(source: ArchiveLimits(totalBytes: 1000))
    let tar = try bench.tar(["requirements.txt": String(repeating: "#", count: 2000)])
    _ = try await expectFailure(.sourceRefused, bench.request(tar: tar), bench.builder(limits: limits))
  }

  @Test("whose slug is over the limit is B04 and names both sizes")
  func slugTooLarge() async throws {
    let share = try bench.share(compile: "head -c 300000 /dev/urandom > \"$1/noise\"")
    let failure = try await expectFailure(
      .slugTooLarge, bench.request(tar: bench.tar(["a": "b"])),
      bench.builder(limits: BuildLimits(slugBytes: 100 << 10), share: share))
    #expect(failure?.message.hasPrefix("slug is 29") == true)
    #expect(failure?.message.hasSuffix("K, limit is 100K") == true)
  }

  @Test("whose slug never ends is stopped at B04")
  func slugEndless() async throws {
    let share = try bench.share(compile: "head -c 30000000 /dev/urandom > \"$1/noise\"")
    let failure = try await expectFailure(
      .slugTooLarge, bench.request(tar: bench.tar(["a": "b"])),
      bench.builder(limits: BuildLimits(slugBytes: 100 << 10), share: share))
    #expect(failure?.message.hasPrefix("slug is more than") == true)
  }

  @Test("that runs too long is ended with B12")
  func timeout() async throws {
    let share = try bench.share(compile: "echo waiting; sleep 600 & sleep 600")
    let failure = try await expectFailure(
      .buildTimeout, bench.request(tar: bench.tar(["a": "b"]), timeout: .seconds(3)), bench.builder(share: share))
    #expect(failure?.evidence.last == "waiting")
  }

  @Test("that is cancelled is ended with B13")
  func cancelled() async throws {
    let share = try bench.share(compile: "echo waiting; sleep 600")
    let builder = try bench.builder(share: share)
    let request = try bench.request(tar: bench.tar(["a": "b"]))
    let printed = Printed()
    async let failure = expectFailure(.cancelled, request, builder, printed: printed)
    try await eventually("the build never started") { printed.text.contains("waiting") }
    await builder.cancel(request.build)
    _ = try await failure
  }

  @Test("whose task is cancelled is ended with B13")
  func taskCancelled() async throws {
    let share = try bench.share(compile: "echo waiting; sleep 600")
    let builder = try bench.builder(share: share)
    let request = try bench.request(tar: bench.tar(["a": "b"]))
    let printed = Printed()
    let build = Task { try await builder.build(request, output: printed.add) }
    try await eventually("the build never started") { printed.text.contains("waiting") }
    build.cancel()
    let failure = await #expect(throws: DeployFailure.self) { try await build.value }
    #expect(failure?.code == .cancelled)
  }

  @Test("whose compile step writes an endless summary in the worker's name is ended and fails")
  func endlessSummary() async throws {
    let share = try bench.share(compile: "cat /dev/zero > /proc/$PPID/fd/3; kill -9 $PPID; sleep 600")
    let failure = await #expect(throws: DeployFailure.self) {
      try await bench.builder(share: share).build(bench.request(tar: bench.tar(["a": "b"])), output: { _ in })
    }
    #expect([.platformError, .buildFailed].contains(failure?.code))
  }

  @Test("of the same tree twice gives the same slug")
  func deterministic() async throws {
    let share = try bench.share(
      compile: "mkdir -p \"$1/out\"; for n in 3 1 2; do echo $n > \"$1/out/$n\"; done; date > /dev/null")
    let tar = try bench.tar(["Procfile": "web: x\n", "data": String(repeating: "abc", count: 100_000)])
    let builder = try bench.builder(share: share)
    let first = try await builder.build(bench.request(tar: tar), output: { _ in })
    let second = try await builder.build(bench.request(tar: tar), output: { _ in })
    #expect(first.slug == second.slug)
  }

  @Test("hides config vars and source from other users of the machine")
  func modes() async throws {
    let share = try bench.share(compile: "echo waiting; sleep 600")
    let builder = try bench.builder(share: share)
    let request = try bench.request(tar: bench.tar(["a": "b"]), configVars: ["SECRET": "x"])
    let printed = Printed()
    async let failure = expectFailure(.cancelled, request, builder, printed: printed)
    try await eventually("the build never started") { printed.text.contains("waiting") }
    var info = stat()
    #expect(lstat("\(request.workDirectory)/app", &info) == 0)
    #expect(info.st_mode & 0o777 == 0o700)
    if bench.sandbox.capabilities.perAppUsers { #expect(info.st_uid == bench.hostUser) }
    await builder.cancel(request.build)
    _ = try await failure
  }
}
