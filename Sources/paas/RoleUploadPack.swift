import ArgumentParser
import GitReceiver
import Glibc
import Linux
import Platform

/// `paas upload-pack DIR`: what `git clone --upload-pack='paas upload-pack' …` starts.
struct UploadPackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upload-pack", abstract: "Serve a clone or fetch of a repository on stdin and stdout.",
    shouldDisplay: false)

  @Flag(help: "Do not try DIR/.git when DIR is no repository.") var strict = false
  @Argument(help: "The repository.") var directory: String

  func run() throws {
    guard let path = repository else {
      fail(StartError("'\(directory)' does not appear to be a git repository", next: "name a bare repository"))
    }
    let version = GitProtocolVersion(environment: Machine.environment["GIT_PROTOCOL"])
    let settings = try UploadPack.settings(of: path)
    throw ExitCode(
      try UploadPack.serve(directory: path, transport: StandardStreams(), version: version, settings: settings))
  }

  private var repository: String? {
    let candidates = strict ? [""] : ["/.git", "", ".git/.git", ".git"]
    return candidates.map { directory + $0 }.first { Files.exists("\($0)/HEAD") && Files.exists("\($0)/objects") }
  }
}

/// Standard input and output as a git client's stream.
private final class StandardStreams: GitTransport {
  private(set) var isClosed = false

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count = try checked("read standard input") { Glibc.read(0, buffer.baseAddress, buffer.count) }
    if count == 0 { isClosed = true }
    return count
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    var offset = 0
    while offset < bytes.count {
      offset += try checked("write standard output") {
        Glibc.write(1, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
      }
    }
  }

  func writeError(_ bytes: [UInt8]) throws { try Files.writeAll(bytes, to: 2, name: "standard error") }
}
