internal import Glibc
internal import Linux
internal import Platform

/// One buildpack behind the public API (https://devcenter.heroku.com/articles/buildpack-api): `bin/detect BUILD`,
/// `bin/compile BUILD CACHE ENV`, `bin/release BUILD`.
struct Buildpack {
  /// Its directory.
  let path: String
  /// What `bin/detect` printed: `Python`.
  let displayName: String
  private let environment: [String: String]

  /// Ruby and Python apps often hold a package.json for their assets, so these are asked before Node.
  private static let firstAsked = ["ruby", "python", "node"]

  /// Asks each buildpack in turn; the first that says yes builds the app. Throws ``Platform/DeployFailure`` (B01).
  static func detect(environment: [String: String]) throws -> Buildpack {
    let names = try candidates()
    for name in names {
      let path = "\(WorkerPath.buildpacks)/\(name)"
      let (status, output) = try capture("\(path)/bin/detect", [WorkerPath.app], environment)
      guard status == 0 else { continue }
      let first = String(decoding: output, as: UTF8.self).split(whereSeparator: \.isNewline).first
      let displayName = first.map { printable(String($0.trimmed)) } ?? name
      return Buildpack(path: path, displayName: displayName, environment: environment)
    }
    throw DeployFailure(
      .detect, .noBuildpack, "no buildpack recognises this app (asked: \(names.joined(separator: ", ")))",
      next: "add a Gemfile, a requirements.txt or a package.json at the top of the repository, commit and push again")
  }

  /// Runs the build; its output goes to the pusher as it comes. Throws ``Platform/DeployFailure`` (B02).
  func compile() throws {
    let arguments = [WorkerPath.app, WorkerPath.cache, WorkerPath.environment]
    let status = try Self.run("\(path)/bin/compile", arguments, environment, output: STDOUT_FILENO)
    if status == 0 { return }
    let killed = status > 128 ? "was ended by signal \(status - 128)" : "ended with status \(status)"
    let hint = status == 137 ? ", perhaps for want of memory" : ""
    throw DeployFailure(
      .build, .buildFailed, "compile step of the \(displayName) buildpack \(killed)\(hint)",
      next: "correct what the last lines say, commit and push again")
  }

  /// What `bin/release` declares; nothing when the buildpack has none.
  func defaultProcessTypes() throws -> ProcessTypes {
    let program = "\(path)/bin/release"
    guard Files.exists(program) else { return [:] }
    let (status, output) = try Self.capture(program, [WorkerPath.app], environment)
    guard status == 0 else {
      throw DeployFailure(
        .build, .buildFailed, "release step of the \(displayName) buildpack ended with status \(status)",
        next: "tell the buildpack's author")
    }
    return try ReleaseDocument(output).processTypes
  }

  private static func candidates() throws -> [String] {
    let present = try Files.names(in: WorkerPath.buildpacks).filter {
      Files.exists("\(WorkerPath.buildpacks)/\($0)/bin/detect")
    }
    return firstAsked.filter(present.contains) + present.filter { !firstAsked.contains($0) }.sorted()
  }

  /// Runs a program and returns what it printed, 64 KiB at most. Its errors go to the pusher.
  private static func capture(_ program: String, _ arguments: [String], _ environment: [String: String]) throws
    -> (status: Int32, output: [UInt8])
  {
    let pipe = try Pipe()
    let child = try spawn(program, arguments, environment, output: pipe.writeEnd)
    pipe.closeWriteEnd()
    let output = try readAll(pipe.readEnd, limit: 64 << 10)
    return (try wait(child), output)
  }

  private static func run(_ program: String, _ arguments: [String], _ environment: [String: String], output: Int32)
    throws -> Int32
  {
    try wait(try spawn(program, arguments, environment, output: output))
  }

  private static func spawn(_ program: String, _ arguments: [String], _ environment: [String: String], output: Int32)
    throws -> Child
  {
    var request = ChildRequest(
      path: program, arguments: arguments, environment: environment, directory: WorkerPath.app,
      descriptors: [STDOUT_FILENO: output, STDERR_FILENO: STDOUT_FILENO])
    request.newSession = false
    return try Child.spawn(request)
  }

  /// The worker has one thread, so it waits where it is.
  private static func wait(_ child: Child) throws -> Int32 {
    var status: Int32 = 0
    try checked("wait for a buildpack") { waitpid(child.pid, &status, 0) }
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}
