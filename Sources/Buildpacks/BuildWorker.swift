internal import Archive
internal import Glibc
internal import Linux
internal import Platform

/// One build, inside the sandbox: source tar → tree → buildpack → slug.
struct BuildWorker {
  private let order: WorkerOrder
  private var summary = WorkerSummary()

  static func main() -> Int32 {
    var worker: BuildWorker
    do {
      worker = BuildWorker(order: try Message.read(WorkerOrder.self, from: WorkerDescriptor.order, limit: 64 << 20))
    } catch {
      Worker.complain("cannot read the build's order: \(text(of: error))")
      return 1
    }
    return worker.run()
  }

  private init(order: WorkerOrder) { self.order = order }

  private mutating func run() -> Int32 {
    do {
      try build()
    } catch let failure as DeployFailure {
      summary.failure = failure
    } catch {
      summary.failure = DeployFailure(.build, .platformError, text(of: error))
    }
    do {
      try Message.write(summary, to: WorkerDescriptor.summary, name: "summary")
    } catch {
      Worker.complain("cannot hand the summary over: \(text(of: error))")
      return 1
    }
    return summary.failure == nil ? 0 : 1
  }

  /// A build, top to bottom.
  private mutating func build() throws {
    try unpackSource()
    _ = try procfile()  // a mistake in it is told before minutes of compiling
    try removeIgnored()
    try writeConfigVars()

    let buildpack = try Buildpack.detect(environment: order.environment)
    summary.buildpack = buildpack.displayName
    try say(PushText.step("\(buildpack.displayName) app detected"))
    try buildpack.compile()

    try say(PushText.step("Discovering process types"))
    summary.processTypes = try discoverProcessTypes(buildpack)
    try say(PushText.step("Compressing..."))
    let size = try writeSlug()
    summary.slugBytes = size
    try say(PushText.detail("Done: \(humanSize(size))"))
  }

  private func unpackSource() throws {
    let app = try openDirectory(WorkerPath.app)
    defer { close(app) }
    do {
      _ = try Untar.extract(from: STDIN_FILENO, into: app, limits: order.sourceLimits)
    } catch let error as ArchiveError where error.isCausedByArchive {
      throw DeployFailure(.source, .sourceRefused, "source refused: \(error.message)", next: error.nextStep)
    }
  }

  private func procfile() throws -> Procfile? {
    guard let bytes = try sourceFile("Procfile", limit: Procfile.sizeLimit + 1) else { return nil }
    return try Procfile(bytes)
  }

  private func removeIgnored() throws {
    guard let bytes = try sourceFile(".slugignore", limit: 1 << 20) else { return }
    let ignore = SlugIgnore(bytes)
    if ignore.isEmpty { return }
    let removed = try Tree.remove(below: WorkerPath.app) { ignore.matches($0, isDirectory: $1) }
    if removed > 0 { try say(PushText.step("Removed \(removed) files and directories named by .slugignore")) }
  }

  private func writeConfigVars() throws {
    for (name, value) in order.configVars {
      let key = try ConfigKey(name)
      try Files.writeDurably(Array(value.utf8), to: "\(WorkerPath.environment)/\(key)", mode: 0o600)
    }
  }

  private func discoverProcessTypes(_ buildpack: Buildpack) throws -> [String: String] {
    if let procfile = try procfile() {
      let names = procfile.order.map(\.description).joined(separator: ", ")
      try say(PushText.detail("Procfile declares types -> \(names.isEmpty ? "(none)" : names)"))
      return Dictionary(uniqueKeysWithValues: procfile.processTypes.map { ($0.key.description, $0.value) })
    }
    let types = try buildpack.defaultProcessTypes()
    let names = types.keys.sorted().map(\.description).joined(separator: ", ")
    try say(PushText.detail("Default types for buildpack -> \(names.isEmpty ? "(none)" : names)"))
    return Dictionary(uniqueKeysWithValues: types.map { ($0.key.description, $0.value) })
  }

  private func writeSlug() throws -> Int64 {
    let app = try openDirectory(WorkerPath.app)
    defer { close(app) }
    let writer = try TarWriter(descriptor: WorkerDescriptor.slug, compression: .zstd(level: 3, threads: 2))
    let git = Array(".git".utf8)
    _ = try TarTree.write(directory: app, to: writer) { path, _ in path == git }
    try writer.finish()
    return writer.bytesWritten
  }

  /// A file at the top of the source tree; `nil` when there is none. A link counts as none: it could lead anywhere.
  private func sourceFile(_ name: String, limit: Int) throws -> [UInt8]? {
    let path = "\(WorkerPath.app)/\(name)"
    let file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT || errno == ELOOP { return nil }
      throw SystemError("open '\(path)'")
    }
    defer { close(file) }
    var info = stat()
    try checked("look at '\(path)'") { fstat(file, &info) }
    guard info.st_mode & S_IFMT == S_IFREG else { return nil }
    guard info.st_size <= limit else {
      throw DeployFailure(.source, .sourceRefused, "\(name) is larger than \(limit) bytes", next: "make it shorter")
    }
    return try readAll(file, limit: limit)
  }

  private func say(_ text: String) throws {
    try Files.writeAll(Array(text.utf8), to: STDOUT_FILENO, name: "standard output")
  }
}

/// `36.3M`, as Heroku prints slug sizes.
func humanSize(_ bytes: Int64) -> String {
  let units: [(String, Int64)] = [("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)]
  guard let (unit, size) = units.first(where: { bytes >= $0.1 }) else { return "\(bytes)B" }
  let tenths = (bytes * 10 + size / 2) / size
  return tenths >= 1000 ? "\((tenths + 5) / 10)\(unit)" : "\(tenths / 10).\(tenths % 10)\(unit)"
}
