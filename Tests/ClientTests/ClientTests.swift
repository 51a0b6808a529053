import Client
import Glibc
import Linux
import Testing
import Wire

@Suite("The client")
struct ClientTests {
  struct Head: Codable, Sendable, Equatable {
    var method: String
    var uri: String
    var token: String
    var wire: String
  }

  private func withServer(_ body: (PaasClient) async throws -> Void) async throws {
    let server = try await TestServer()
    do {
      try await body(PaasClient(address: .unix(path: server.path), token: "t0ken"))
    } catch {
      try await server.stop()
      throw error
    }
    try await server.stop()
  }

  @Test("sends method, path with query, token and wire version over a unix socket")
  func head() async throws {
    try await withServer { client in
      let head: Head = try await client.get("/json/a%2Fb?x=1&y=2")
      #expect(head == Head(method: "GET", uri: "/json/a%2Fb?x=1&y=2", token: "Bearer t0ken", wire: "1"))
      let patched: Head = try await client.patch("/json", ["A": String?.none])
      #expect(patched.method == "PATCH")
    }
  }

  @Test("throws what the server's answer says")
  func apiError() async throws {
    try await withServer { client in
      let expected = APIError(id: "not_found", message: "app 'x' does not exist", next: "`paas apps` lists")
      await #expect(throws: expected) { try await client.get("/missing", as: Head.self) }
    }
  }

  @Test("an answer that is no API error is named as such")
  func brokenAnswer() async throws {
    try await withServer { client in
      let broken = ClientError.unexpectedAnswer(client.address, path: "/broken", reason: "status 502")
      await #expect(throws: broken) { try await client.get("/broken", as: Head.self) }
      let other = ClientError.otherWire(client.address, theirs: "99")
      await #expect(throws: other) { try await client.get("/other-wire", as: Head.self) }
    }
  }

  @Test("a server that does not run is said in one sentence, at once")
  func notRunning() async {
    let address = ServerAddress.unix(path: "/tmp/paas-no-such.sock")
    let client = PaasClient(address: address)
    await #expect(throws: ClientError.notRunning(address)) { try await client.get("/", as: Head.self) }
    #expect(ClientError.notRunning(address).message == "no server is running at unix:/tmp/paas-no-such.sock")
    let refused = ServerAddress.url("http://127.0.0.1:1")
    await #expect(throws: ClientError.notRunning(refused)) {
      try await PaasClient(address: refused).get("/", as: Head.self)
    }
  }

  @Test("a time limit ends a call that is not answered")
  func timeout() async throws {
    try await withServer { client in
      await #expect(throws: ClientError.timeout(client.address)) {
        try await client.get("/silent", as: Head.self, timeout: .milliseconds(50))
      }
    }
  }

  @Test("a server that goes in the middle of an answer is a lost connection")
  func cut() async throws {
    try await withServer { client in
      await #expect(throws: ClientError.connectionLost(client.address)) {
        try await client.call(ClientRequest(.get, "/cut"))
      }
    }
  }

  @Test("records come whole, and the exit record ends the stream")
  func records() async throws {
    try await withServer { client in
      var seen: [StreamRecord] = []
      for try await record in try await client.stream(ClientRequest(.get, "/records")).records { seen.append(record) }
      #expect(seen == [StreamRecord(.stdout, Array("hi".utf8)), StreamRecord(.keepAlive), .exit(3)])
    }
  }

  @Test("a body from a pipe is sent while its answer is read")
  func fullDuplex() async throws {
    try await withServer { client in
      let pipe = try Pipe()
      let response = try await client.stream(ClientRequest(.post, "/echo", body: .descriptor(pipe.reader)))
      var answer = response.bytes.makeAsyncIterator()
      for text in ["first", "second"] {
        try pipe.write(text)
        #expect(try await answer.next() == Array(text.utf8))
      }
      pipe.closeWriter()
      #expect(try await answer.next() == nil)
    }
  }

  @Test("ten megabytes go through a pipe unharmed")
  func large() async throws {
    try await withServer { client in
      let pipe = try Pipe()
      let sent = (0..<10 << 20).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
      startThread {
        _ = try? Files.writeAll(sent, to: pipe.writer, name: "pipe")  // the comparison below sees a failure
        pipe.closeWriter()
      }
      let response = try await client.stream(ClientRequest(.post, "/echo", body: .descriptor(pipe.reader)))
      #expect(try await response.bytes.collect(limit: 20 << 20) == sent)
    }
  }

  @Test("an upload that is refused before its end throws the reason, and its writer is let go")
  func refusedUpload() async throws {
    signal(SIGPIPE, SIG_IGN)
    try await withServer { client in
      let pipe = try Pipe()
      async let writer: Int32 = blocking {
        let piece = [UInt8](repeating: 1, count: 64 << 10)
        while true {
          do throws(SystemError) {
            try Files.writeAll(piece, to: pipe.writer, name: "pipe")
          } catch {
            return error.number
          }
        }
      }
      await #expect(throws: APIError(id: "forbidden", message: "no")) {
        try await client.call(ClientRequest(.post, "/refuse-upload", body: .descriptor(pipe.reader)))
      }
      pipe.closeReader()
      #expect(await writer == EPIPE)
    }
  }

  @Test("threads make the same calls and wait")
  func waiting() async throws {
    try await withServer { client in
      let (head, kinds) = try await blocking { () throws -> (Head, [StreamRecord.Kind]) in
        var kinds: [StreamRecord.Kind] = []
        try client.blocking.records(ClientRequest(.get, "/records")) { kinds.append($0.kind) }
        return (try client.blocking.get("/json"), kinds)
      }
      #expect(head.method == "GET")
      #expect(kinds == [.stdout, .keepAlive, .exit])
    }
  }
}
