import CDeflate
import CLinux
import Crypto
import Glibc
import Linux
import Platform
import Testing

@testable import GitReceiver

/// A directory that goes with its owner.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    path = "/tmp/paas-git-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    try Files.makeDirectory(path, mode: 0o700)
  }

  deinit { try? Files.removeTree(path) }  // a leftover in /tmp hurts nobody

  func directory(_ name: String) throws -> String {
    try Files.makeDirectory("\(path)/\(name)")
    return "\(path)/\(name)"
  }
}

/// Writes a file that need not survive the machine: hundreds of times a second, on any disk.
func writeFile(_ bytes: some Sequence<UInt8>, to path: String) throws {
  let file = try checked("open '\(path)'") { open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
  defer { close(file) }
  try Files.writeAll(Array(bytes), to: file, name: path)
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

/// The processor time that the calling thread spends in `body`, which must not wait for other threads to work: what
/// they do is not counted. Tests of cost ask for it and not for the clock, which runs on while others have their turn.
func processorTime<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) -> Duration {
  func now() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
  let start = now()
  try body()
  return now() - start
}

struct CommandFailed: Error, CustomStringConvertible {
  let description: String
}

/// The real git, with no configuration but what stands here.
struct RealGit: Sendable {
  let directory: String

  struct Result {
    let status: Int32
    let output: [UInt8]
    let errors: String
    var text: String { String(decoding: output, as: UTF8.self) }
    var line: String { text.split(separator: "\n").first.map(String.init) ?? "" }
  }

  static let environment = [
    "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b.c", "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_TERMINAL_PROMPT": "0", "GIT_TEST_FSYNC": "0",
  ]

  /// Runs git and takes any status.
  func result(
    _ arguments: [String], program: String = "/usr/bin/git", input: [UInt8] = [], descriptors: [Int32: Int32] = [:],
    environment: [String: String] = [:]
  ) async throws -> Result {
    let files = try TemporaryDirectory()
    try writeFile(input, to: "\(files.path)/in")
    let stdin = try checked("open in") { open("\(files.path)/in", O_RDONLY | O_CLOEXEC) }
    let stdout = try checked("open out") { open("\(files.path)/out", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) }
    let stderr = try checked("open err") { open("\(files.path)/err", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600) }
    var request = ChildRequest(
      path: program, arguments: arguments, environment: Self.environment.merging(environment) { $1 },
      directory: directory)
    request.descriptors = descriptors.merging([0: stdin, 1: stdout, 2: stderr]) { $1 }
    let child = try Child.spawn(request)
    for descriptor in [stdin, stdout, stderr] { close(descriptor) }
    let status = await child.exitStatus()
    return Result(
      status: status, output: try Files.read("\(files.path)/out", limit: 1 << 30),
      errors: try Files.text("\(files.path)/err"))
  }

  /// Runs git, which must succeed.
  @discardableResult
  func callAsFunction(_ arguments: String..., input: [UInt8] = []) async throws -> Result {
    let result = try await result(arguments, input: input)
    guard result.status == 0 else {
      throw CommandFailed(description: "git \(arguments.joined(separator: " ")): \(result.status) \(result.errors)")
    }
    return result
  }

  func write(_ path: String, _ text: String) throws {
    try writeFile(text.utf8, to: "\(directory)/\(path)")
  }

  /// Commits everything in the work tree and returns the commit.
  @discardableResult
  func commit(_ message: String) async throws -> String {
    try await self("add", "-A")
    try await self("commit", "-q", "--allow-empty", "-m", message)
    return try await self("rev-parse", "HEAD").line
  }

  /// A clone to be, with a work tree, in the directory.
  static func work(in directory: TemporaryDirectory, _ name: String = "work") async throws -> RealGit {
    let git = RealGit(directory: try directory.directory(name))
    try await git("init", "-q", "-b", "main", ".")
    return git
  }

  /// A history whose pack is full of deltas: one long file that changes a little in every commit.
  static func workWithHistory(in directory: TemporaryDirectory, commits: Int = 12) async throws -> RealGit {
    let git = try await work(in: directory)
    var lines = (0..<400).map { "line \($0) of a file that grows slowly and keeps most of its bytes" }
    for number in 0..<commits {
      lines[(number * 31) % 400] = "changed in commit \(number)"
      lines.append("appended in commit \(number)")
      try git.write("long.txt", lines.joined(separator: "\n"))
      try git.write("file-\(number).txt", "content \(number)\n")
      try await git.commit("commit \(number)")
    }
    return git
  }
}

/// A client whose bytes are known beforehand. They arrive in pieces of any size.
final class MemoryTransport: GitTransport {
  private var input: ArraySlice<UInt8>
  private let piece: Int
  private(set) var output: [UInt8] = []
  private(set) var errors: [UInt8] = []
  let isClosed = false

  init(_ input: [UInt8], piece: Int = .max) {
    self.input = input[...]
    self.piece = piece
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let next = input.prefix(min(piece, buffer.count))
    buffer.copyBytes(from: next)
    input = input.dropFirst(next.count)
    return next.count
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws { output += bytes }
  func writeError(_ bytes: [UInt8]) throws { errors += bytes }
}

/// Packs made by hand, good and evil.
struct PackBuilder {
  private(set) var bytes: [UInt8]

  init(count: UInt32) { bytes = Array("PACK".utf8) + [0, 0, 0, 2] + bigEndian(count) }

  var offset: Int { bytes.count }

  /// With `stored` the data is not deflated, which is much faster for many small objects.
  mutating func object(
    _ type: UInt8, _ data: [UInt8], size: Int? = nil, base: [UInt8] = [], stored: Bool = false
  ) throws {
    var rest = (size ?? data.count) >> 4
    var byte = type << 4 | UInt8((size ?? data.count) & 0x0F)
    while rest > 0 {
      bytes.append(byte | 0x80)
      byte = UInt8(rest & 0x7F)
      rest >>= 7
    }
    bytes.append(byte)
    bytes += base
    if stored, let length = UInt16(exactly: data.count) {
      let (low, high) = (UInt8(length & 0xFF), UInt8(length >> 8))
      bytes += [0x78, 0x01, 1, low, high, ~low, ~high] + data + bigEndian(libdeflate_adler32(1, data, data.count))
    } else {
      bytes += try data.withUnsafeBytes { try deflated($0) }
    }
  }

  /// Bytes as they are, where an object would stand.
  mutating func raw(_ data: [UInt8]) { bytes += data }

  /// With the checksum.
  var finished: [UInt8] { Self.sealed(bytes) }

  /// The bytes with their checksum.
  static func sealed(_ bytes: [UInt8]) -> [UInt8] { bytes + Array(Insecure.SHA1.hash(data: bytes)) }

  /// The distance of an OFS delta to its base.
  static func distance(_ value: Int) -> [UInt8] {
    var rest = value
    var bytes = [UInt8(rest & 0x7F)]
    rest >>= 7
    while rest > 0 {
      rest -= 1
      bytes.insert(UInt8(rest & 0x7F) | 0x80, at: 0)
      rest >>= 7
    }
    return bytes
  }
}

func bigEndian(_ value: UInt32) -> [UInt8] {
  [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
}

/// A size as deltas hold it.
func deltaSize(_ value: Int) -> [UInt8] {
  var rest = value
  var bytes: [UInt8] = []
  repeat {
    bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
    rest >>= 7
  } while rest > 0
  return bytes
}

/// Indexes bytes into a new directory.
func indexed(
  _ pack: [UInt8], in directory: TemporaryDirectory, piece: Int = .max, limits: PackLimits = PackLimits(),
  repository: Repository? = nil
) throws -> PackContents {
  let target = try directory.directory("packs-\(UInt32.random(in: 0 ... .max))")
  let indexer = PackIndexer(limits: limits) { try repository?.object($0) }
  return try indexer.index(ClientInput(MemoryTransport(pack, piece: piece)), into: target)
}

/// The one file with that ending, whole path.
func only(_ suffix: String, in directory: String) throws -> String {
  let names = try Files.names(in: directory).filter { $0.hasSuffix(suffix) }
  return "\(directory)/\(try #require(names.first))"
}
