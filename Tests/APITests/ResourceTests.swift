import Client
import Platform
import Testing
import Wire

@testable import API

@Suite("Resources")
struct ResourceTests {
  private func error(_ client: PaasClient, _ request: ClientRequest) async -> APIError? {
    await #expect(throws: (any Error).self) { try await client.call(request) } as? APIError
  }

  @Test("an app is made, found, given config and destroyed")
  func app() async throws {
    try await TestPlatform.serving { platform in
      let made: AppResource = try await platform.control.post("/apps", AppCreate(name: "hello"))
      #expect(made.git_url == "ssh://paas@localhost:2222/hello.git")
      let found: [AppResource] = try await platform.control.get("/apps")
      #expect(found == [made])
      let patch: ConfigVarsPatch = ["GREETING": "a=b 'c'\n€"]
      let body = [UInt8](try Wire.encode(patch))
      let answer = try await platform.control.call(ClientRequest(.patch, "/apps/hello/config-vars", body: .bytes(body)))
      #expect(answer.headers["paas-release"] == "v1")
      #expect(try answer.decoded(as: [String: String].self) == ["GREETING": "a=b 'c'\n€"])
      let again = try await platform.control.call(ClientRequest(.patch, "/apps/hello/config-vars", body: .bytes(body)))
      #expect(again.headers["paas-release"] == nil)
      _ = try await platform.control.delete("/apps/hello", as: AppResource.self)
      #expect(try await platform.control.get("/apps", as: [AppResource].self).isEmpty)
    }
  }

  @Test("what is wrong is said with the right id")
  func errors() async throws {
    try await TestPlatform.serving { platform in
      let client = platform.control
      #expect(await error(client, ClientRequest(.get, "/apps/none"))?.id == "not_found")
      #expect(await error(client, ClientRequest(.get, "/nowhere"))?.id == "not_found")
      #expect(await error(client, ClientRequest(.get, "/apps/..%2F..%2Fetc"))?.id == "not_found")
      #expect(await error(client, ClientRequest(.post, "/apps", body: .bytes(Array("{".utf8))))?.id == "bad_request")
      let name = #"{"name":"../x"}"#
      #expect(
        await error(client, ClientRequest(.post, "/apps", body: .bytes(Array(name.utf8))))?.id == "invalid_params")
      let large = [UInt8](repeating: 32, count: Wire.maximumJSON + 1)
      #expect(await error(client, ClientRequest(.post, "/apps", body: .bytes(large)))?.id == "too_large")
      _ = try await client.post("/apps", AppCreate(name: "hello"), as: AppResource.self)
      #expect(await error(client, ClientRequest(.get, "/apps/hello/logs?source=nose"))?.id == "invalid_params")
      let twice = #"{"name":"hello"}"#
      #expect(await error(client, ClientRequest(.post, "/apps", body: .bytes(Array(twice.utf8))))?.id == "conflict")
    }
  }

  @Test(
    "a part of a path is decoded once, and only when it is UTF-8",
    arguments: [
      ("a%2Fb", "a/b"), ("%2541", "%41"), ("%C3%A9", "é"), ("a%F", nil), ("a%", nil), ("%FF", nil), ("%+1", nil),
    ])
  func decoded(text: String, expected: String?) {
    #expect(percentDecoded(text) == expected)
  }

  @Test("a key whose fingerprint holds a slash is found by it")
  func keys() async throws {
    try await TestPlatform.serving { platform in
      for _ in 0..<8 { _ = try await platform.loggedIn() }
      let keys: [KeyResource] = try await platform.control.get("/account/keys")
      #expect(keys.count == 8)
      for key in keys {
        let path = "/account/keys/\(percentEncoded(key.fingerprint))"
        #expect(try await platform.control.delete(path, as: KeyResource.self).id == key.id)
      }
      #expect(try await platform.control.get("/account/keys", as: [KeyResource].self).isEmpty)
    }
  }
}
