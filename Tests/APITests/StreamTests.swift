import CLinux
import Client
import FoundationEssentials
import Glibc
import Linux
import Platform
import Testing
import Wire

@Suite("Streams")
struct StreamTests {
  private func withDeployedApp(_ body: (TestPlatform) async throws -> Void) async throws {
    try await TestPlatform.serving { platform in
      _ = try await platform.control.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      _ = try await platform.deploy(Array("source".utf8), app: "hello")
      try await body(platform)
    }
  }

  @Test("a source of three megabytes arrives whole, and the output is followed to its exit")
  func build() async throws {
    try await TestPlatform.serving { platform in
      _ = try await platform.control.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      let (text, exit) = try await platform.deploy([UInt8](repeating: 7, count: 3 << 20), app: "hello")
      #expect(text.contains("-----> Test app detected\n       the source has \(3 << 20) bytes\n"))
      #expect(exit?.exitStatus == 0)
      let releases: [ReleaseResource] = try await platform.control.get("/apps/hello/releases")
      #expect(releases.map(\.status) == ["succeeded"])
      #expect(releases.first?.slug?.id == String(repeating: "ab", count: 32))
    }
  }

  @Test("an upload that breaks off never becomes a release")
  func cutUpload() async throws {
    try await TestPlatform.serving { platform in
      _ = try await platform.control.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      struct Broken: Error {}
      let cut = AsyncThrowingStream<[UInt8], any Error> { continuation in
        continuation.yield([UInt8](repeating: 7, count: 1 << 20))
        continuation.finish(throwing: Broken())
      }
      await #expect(throws: (any Error).self) {
        try await platform.control.call(ClientRequest(.post, "/apps/hello/builds", body: .sequence(cut)))
      }
      // The server is through with the broken request when the next build has gone its way.
      let (_, exit) = try await platform.deploy(Array("whole".utf8), app: "hello")
      #expect(exit?.exitStatus == 0)
      let releases: [ReleaseResource] = try await platform.control.get("/apps/hello/releases")
      #expect(releases.count == 1)
    }
  }

  private func records(of request: RunRequest, _ more: [StreamRecord]) throws -> [UInt8] {
    let first = StreamRecord(.stdout, [UInt8](try Wire.encode(request)))
    return ([first] + more).flatMap(\.encoded)
  }

  @Test("run carries input, output, errors, environment and exit status")
  func run() async throws {
    try await withDeployedApp { platform in
      let request = RunRequest(command: "cat; echo $A >&2; exit 42", env: ["A": "b c"], terminal: nil)
      let body = try records(of: request, [StreamRecord(.stdin, Array("hi\n".utf8)), StreamRecord(.stdinClosed)])
      var output: [StreamRecord.Kind: String] = [:]
      var status: Int32?
      let call = ClientRequest(.post, "/apps/hello/run", body: .bytes(body))
      for try await record in try await platform.control.stream(call).records {
        output[record.kind, default: ""] += String(decoding: record.payload, as: UTF8.self)
        status = record.exitStatus
      }
      #expect(output[.stdout] == "hi\n")
      #expect(output[.stderr] == "b c\n")
      #expect(status == 42)
    }
  }

  @Test("run is a conversation: what is typed is answered before more is typed")
  func conversation() async throws {
    try await withDeployedApp { platform in
      let (stream, input) = AsyncThrowingStream<[UInt8], any Error>.makeStream()
      input.yield(try records(of: RunRequest(command: "cat", env: [:], terminal: nil), []))
      let call = ClientRequest(.post, "/apps/hello/run", body: .sequence(stream))
      var answers = try await platform.control.stream(call).records.makeAsyncIterator()
      for text in ["one\n", "two\n"] {
        input.yield(StreamRecord(.stdin, Array(text.utf8)).encoded)
        #expect(try await answers.next() == StreamRecord(.stdout, Array(text.utf8)))
      }
      input.yield(StreamRecord(.stdinClosed).encoded)
      input.finish()
      #expect(try await answers.next()?.exitStatus == 0)
    }
  }

  @Test("a signal reaches the process")
  func signals() async throws {
    try await withDeployedApp { platform in
      let (stream, input) = AsyncThrowingStream<[UInt8], any Error>.makeStream()
      let command = "trap 'echo got it; exit 7' INT; echo ready; while :; do sleep 0.05; done"
      input.yield(try records(of: RunRequest(command: command, env: [:], terminal: nil), []))
      let call = ClientRequest(.post, "/apps/hello/run", body: .sequence(stream))
      var answers = try await platform.control.stream(call).records.makeAsyncIterator()
      #expect(try await answers.next() == StreamRecord(.stdout, Array("ready\n".utf8)))
      input.yield(StreamRecord(.signal, [UInt8(SIGINT)]).encoded)
      #expect(try await answers.next() == StreamRecord(.stdout, Array("got it\n".utf8)))
      #expect(try await answers.next()?.exitStatus == 7)
      input.finish()
    }
  }

  @Test("a client that goes hangs up its process")
  func hangUp() async throws {
    try await withDeployedApp { platform in
      let (stream, input) = AsyncThrowingStream<[UInt8], any Error>.makeStream()
      input.yield(try records(of: RunRequest(command: "echo $$; exec sleep 600", env: [:], terminal: nil), []))
      struct Gone: Error {}
      let call = ClientRequest(.post, "/apps/hello/run", body: .sequence(stream))
      var answers = try await platform.control.stream(call).records.makeAsyncIterator()
      let first = try #require(try await answers.next())
      let text = String(decoding: first.payload, as: UTF8.self)
      let pid = try #require(Int32(text.prefix { $0.isNumber }))
      let process = try #require(ProcessIdentity(pid: pid))
      input.finish(throwing: Gone())
      #expect(await process.ended(within: .seconds(10)))
    }
  }

  @Test("run of an app without a release is a conflict, and a first record that is none is refused")
  func refusedRuns() async throws {
    try await TestPlatform.serving { platform in
      _ = try await platform.control.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      let body = try records(of: RunRequest(command: "true", env: [:], terminal: nil), [])
      for (bytes, id) in [(body, "conflict"), (Array("GET / HTTP/1.1\r\n".utf8), "bad_request"), ([], "bad_request")] {
        let call = ClientRequest(.post, "/apps/hello/run", body: .bytes(bytes))
        let error = await #expect(throws: (any Error).self) { try await platform.control.call(call) }
        #expect((error as? APIError)?.id == id)
      }
    }
  }

  @Test("logs come as lines and end")
  func logs() async throws {
    try await withDeployedApp { platform in
      var text = ""
      var status: Int32?
      for try await record in try await platform.control.stream(ClientRequest(.get, "/apps/hello/logs?lines=50"))
        .records
      {
        if record.kind == .stdout { text += String(decoding: record.payload, as: UTF8.self) }
        status = record.exitStatus
      }
      #expect(status == 0)
      #expect(text.split(separator: "\n").allSatisfy { $0.contains("]: ") })
    }
  }
}
