import Client
import Testing

@Suite("A server's address")
struct AddressTests {
  @Test("reads a unix socket, a path and a URL")
  func forms() throws {
    #expect(try ServerAddress(parsing: "unix:/run/a.sock") == .unix(path: "/run/a.sock"))
    #expect(try ServerAddress(parsing: "/run/a.sock") == .unix(path: "/run/a.sock"))
    #expect(try ServerAddress(parsing: "https://example.org/") == .url("https://example.org"))
  }

  @Test("refuses anything else, and says what to write", arguments: ["", "unix:", "example.org", "ftp://x"])
  func refused(text: String) {
    #expect(throws: ClientError.badAddress(text)) { try ServerAddress(parsing: text) }
  }

  @Test("a part of a path is escaped to the letter")
  func escaped() {
    #expect(percentEncoded("SHA256:a/b+c=é") == "SHA256%3Aa%2Fb%2Bc%3D%C3%A9")
    #expect(percentEncoded("web.1-x_~") == "web.1-x_~")
  }
}
