import Glibc
import Linux
import Platform
import Testing

@testable import GitReceiver

/// What became of a pack.
enum PackVerdict: Equatable, CustomStringConvertible {
  /// With the ids in the index, sorted.
  case accepted([ObjectID])
  case refused(String)

  var isAccepted: Bool { if case .accepted = self { true } else { false } }
  var reason: String { if case .refused(let reason) = self { reason } else { "" } }

  var description: String {
    switch self {
    case .accepted(let ids): "accepted with \(ids.count) objects"
    case .refused(let reason): "refused: \(reason)"
    }
  }
}

/// The ids in a version 2 index (gitformat-pack(5)).
func ids(inIndex path: String) throws -> [ObjectID] {
  let bytes = try Files.read(path, limit: 64 << 20)
  guard bytes.count >= 1032 else { throw CommandFailed(description: "'\(path)' is no index") }
  let count = bytes[1028..<1032].reduce(0) { $0 << 8 | Int($1) }
  guard bytes.count >= 1032 + 20 * count else { throw CommandFailed(description: "'\(path)' is cut short") }
  return (0..<count).map { ObjectID(bytes[(1032 + 20 * $0)..<(1052 + 20 * $0)]) }
}

/// Two judges of one pack, git's index-pack and ours, over the same repository. For one thread at a time.
final class GitJudge: @unchecked Sendable {  // no lock: each test thread makes its own
  let directory: TemporaryDirectory
  let git: String
  private let repository: Repository
  private let shell: GitShell
  private var number = 0

  /// Over an empty repository, or the copy of a bare one.
  init(copyOf source: String? = nil) throws {
    directory = try TemporaryDirectory()
    git = "\(directory.path)/scratch.git"
    if let source {
      try Self.run(["clone", "-q", "--bare", "--no-local", source, git], in: directory.path)
    } else {
      try Self.run(["init", "-q", "--bare", git], in: directory.path)
    }
    repository = try Repository.open(git)
    shell = try GitShell(git, in: directory.path)
  }

  /// Runs git, which must succeed.
  @discardableResult
  static func run(_ arguments: [String], in directory: String, input: [UInt8] = []) throws -> [UInt8] {
    let result = try result(arguments, in: directory, input: input)
    guard result.status == 0 else {
      throw CommandFailed(description: "git \(arguments): \(result.status) \(result.errors)")
    }
    return result.output
  }

  static func result(
    _ arguments: [String], in directory: String, input: [UInt8]
  ) throws -> (status: Int32, output: [UInt8], errors: String) {
    let files = try (0..<3).map { number in
      let path = "\(directory)/stream-\(number)"
      return try checked("open '\(path)'") { open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
    }
    defer { for file in files { close(file) } }
    try Files.writeAll(input, to: files[0], name: "input")
    lseek(files[0], 0, SEEK_SET)
    var request = ChildRequest(
      path: "/usr/bin/git", arguments: arguments, environment: RealGit.environment, directory: directory)
    request.descriptors = [0: files[0], 1: files[1], 2: files[2]]
    let child = try Child.spawn(request)
    var status: Int32 = 0
    while waitpid(child.pid, &status, 0) < 0, errno == EINTR {}
    let output = try Files.read("\(directory)/stream-1", limit: 1 << 30)
    let errors = String(decoding: try Files.read("\(directory)/stream-2", limit: 1 << 20), as: UTF8.self)
    return (status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F, output, errors)
  }

  /// What git says, and takes back what it has kept.
  func theirs(_ pack: [UInt8], strict: Bool = true) throws -> PackVerdict {
    let before = Set(try packs())
    let result = try shell.indexPack(strict ? "--strict" : "", pack)
    let made = try packs().filter { !before.contains($0) }
    defer { for name in made { unlink("\(git)/objects/pack/\(name)") } }
    guard result.status == 0 else { return .refused("\(result.status): \(result.errors)") }
    guard let index = made.first(where: { $0.hasSuffix(".idx") }) else {
      // Either an empty pack, whose index git does write, or one that was there before.
      throw CommandFailed(description: "git has accepted a pack and written no index")
    }
    return .accepted(try ids(inIndex: "\(git)/objects/pack/\(index)"))
  }

  /// What our indexer says, the links between objects included, as in a push.
  func ours(_ pack: [UInt8], rules: FsckRules = .strict, piece: Int = .max, limits: PackLimits = PackLimits()) throws
    -> PackVerdict
  {
    number += 1
    let quarantine = "\(directory.path)/quarantine-\(number)"
    let packs = "\(quarantine)/objects/pack"
    for path in [quarantine, "\(quarantine)/objects", packs] { try Files.makeDirectory(path) }
    defer { try? Files.removeTree(quarantine) }  // goes with its parent at the latest
    do {
      let indexer = PackIndexer(limits: limits, rules: rules) { [repository] in try repository.object($0) }
      let contents = try indexer.index(ClientInput(MemoryTransport(pack, piece: piece)), into: packs)
      if rules == .strict { try Connectivity(repository: repository, pushed: contents).check([]) }
      guard contents.count > 0 else { return .accepted([]) }
      return .accepted(try ids(inIndex: try only(".idx", in: packs)))
    } catch let error as GitError {
      return .refused(error.message)
    }
  }

  private func packs() throws -> [String] { try Files.names(in: "\(git)/objects/pack") }
}

/// A shell that runs `git index-pack` again and again: to fork a process as large as this one costs more than git does.
private final class GitShell {
  private let directory: String
  private let child: Child
  private let commands: Int32
  private let answers: Int32

  init(_ git: String, in directory: String) throws {
    self.directory = directory
    let script = """
      while read -r options; do
        git --git-dir "$1" index-pack $options --stdin --fix-thin --threads=1 <pack >output 2>errors; echo $?
      done
      """
    let (stdin, stdout) = (try makePipe(), try makePipe())
    commands = stdin.writing
    answers = stdout.reading
    child = try Child.spawn(
      ChildRequest(
        path: "/bin/sh", arguments: ["-c", script, "sh", git], environment: RealGit.environment, directory: directory,
        descriptors: [0: stdin.reading, 1: stdout.writing]))
    close(stdin.reading)
    close(stdout.writing)
  }

  deinit {
    close(commands)
    close(answers)
    child.signal(SIGKILL)
    waitpid(child.pid, nil, 0)
  }

  func indexPack(_ options: String, _ pack: [UInt8]) throws -> (status: Int32, errors: String) {
    try writeFile(pack, to: "\(directory)/pack")
    try Files.writeAll(Array("\(options)\n".utf8), to: commands, name: "the shell's input")
    var line: [UInt8] = []
    while line.last != UInt8(ascii: "\n") {
      var byte: UInt8 = 0
      guard try checked("read the shell's answer", { read(answers, &byte, 1) }) == 1 else { break }
      line.append(byte)
    }
    guard let status = Int32(String(decoding: line.dropLast(), as: UTF8.self)) else {
      throw CommandFailed(description: "the shell that runs git has ended")
    }
    return (status, String(decoding: try Files.read("\(directory)/errors", limit: 1 << 20), as: UTF8.self))
  }
}
