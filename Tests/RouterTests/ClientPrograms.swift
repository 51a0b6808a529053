import Glibc
import Linux
import Platform

/// The clients that people use: curl and wrk of the system, and Python with httpx, requests and websockets.
enum ClientPrograms {
  struct Outcome: Sendable {
    var status: Int32
    var output: String
  }

  struct Missing: Error, CustomStringConvertible {
    let description: String
  }

  /// Where the programs are looked for.
  static let path = Machine.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"

  static func find(_ program: String) -> String? {
    path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
  }

  /// Runs a program to its end; what it writes to either output is its output.
  static func run(_ program: String, _ arguments: [String]) async throws -> Outcome {
    let (reading, writing) = try makePipe()
    let child: Child
    do {
      defer { close(writing) }
      child = try Child.spawn(
        ChildRequest(
          path: "/usr/bin/env", arguments: [program] + arguments,
          environment: ["PATH": path, "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1"],
          descriptors: [1: writing, 2: writing]))
    } catch {
      close(reading)
      throw error
    }
    let output = await blocking {
      var bytes: [UInt8] = []
      var piece = [UInt8](repeating: 0, count: 64 << 10)
      while true {
        let count = read(reading, &piece, piece.count)
        if count <= 0 { break }
        bytes += piece[0..<count]
      }
      close(reading)
      return String(decoding: bytes, as: UTF8.self)
    }
    return Outcome(status: await child.exitStatus(), output: output)
  }

  /// A Python with the three clients: the system's, or an environment in `.build` that is made from PyPI when there
  /// is none, and kept.
  static let python = Task { () async throws -> String in
    let imports = ["-c", "import httpx, requests, websockets"]
    if let python = find("python3"), try await run(python, imports).status == 0 { return python }
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let directory = "\(root)/.build/client-tests"
    let python = "\(directory)/bin/python3"
    if access(python, X_OK) == 0, try await run(python, imports).status == 0 { return python }
    let made = try await run("python3", ["-m", "venv", "--clear", directory])
    guard made.status == 0 else { throw Missing(description: "no virtual environment for clients: \(made.output)") }
    let packages = ["httpx==0.28.1", "requests==2.34.2", "websockets==17.4"]
    let filled = try await run(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check"] + packages)
    guard filled.status == 0 else { throw Missing(description: "no clients from PyPI: \(filled.output)") }
    return python
  }

  /// Runs a Python program with `BASE`, the router's port and the clients; it prints `ok` as its last line.
  static func script(_ source: String, port: Int) async throws -> Outcome {
    let prelude = """
      import sys, json, http.client
      PORT = int(sys.argv[1])
      HOST = "hello.localhost"
      BASE = "http://127.0.0.1:%d" % PORT

      """
    return try await run(try await python.value, ["-c", prelude + source, "\(port)"])
  }
}
