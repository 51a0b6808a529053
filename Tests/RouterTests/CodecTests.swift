import Testing
import Wire

@testable import Router

@Suite("Parsers without sockets")
struct CodecTests {
  /// What the decoder makes of the bytes when they come in pieces of this size.
  private func decode(_ text: String, piece: Int, extensions: Bool) -> (data: String, end: ChunkDecoder.Event) {
    var decoder = ChunkDecoder(allowsExtensions: extensions)
    let all = Array(text.utf8)
    var data: [UInt8] = []
    var start = 0
    while start < all.count {
      let bytes = Array(all[start..<min(start + piece, all.count)])
      var offset = 0
      reading: while true {
        let event = decoder.next(bytes.span.bytes, &offset)
        switch event {
        case .data(let range): data += bytes[range.start..<range.end]
        case .framing, .dropped: break
        case .more: break reading
        case .trailers, .malformed: return (String(decoding: data, as: UTF8.self), event)
        }
      }
      start += piece
    }
    return (String(decoding: data, as: UTF8.self), .more)
  }

  @Test("chunks are the same however they are cut", arguments: [1, 2, 3, 7, 1000])
  func chunks(piece: Int) {
    let good = decode("5\r\nhello\r\n00A\r\n, my world\r\n0\r\n", piece: piece, extensions: false)
    #expect(good.data == "hello, my world")
    let named = decode("5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n", piece: piece, extensions: true)
    #expect(named.data == "hello")
    #expect(decode("5;a\r\nhello\r\n", piece: piece, extensions: false).end == .malformed)
    for bad in [
      "\r\n", "x\r\n", "-1\r\na", "0x5\r\nhello", "5 \r\nhello", " 5\r\nhello", "5\nhello", "5\r\nhelloX\r\n",
      "5\r\nhello\n", "5\r\nhello\r\r", "1000000000000000\r\n", "5\r\nhello\r\n\r\n", "+5\r\nhello",
    ] {
      #expect(decode(bad, piece: piece, extensions: false).end == .malformed, "\(bad.debugDescription)")
    }
  }

  @Test("an extension without end is refused")
  func endlessExtension() {
    #expect(decode("5;" + String(repeating: "a", count: 5000), piece: 100, extensions: true).end == .malformed)
  }

  @Test("the end of a head is found in pieces, and what can never become a head is refused at once")
  func headEnd() {
    var end = HeadEnd()
    let all = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    for count in 1..<all.count {
      let bytes = Array(all[..<count])
      #expect(end.look(at: bytes.span.bytes) == .incomplete)
      #expect(end.seen == count)
    }
    #expect(end.look(at: all.span.bytes) == .complete)
    var other = HeadEnd()
    let bare = Array("GET / HTTP/1.1\n".utf8)
    #expect(other.look(at: bare.span.bytes) == .malformed)
  }

  @Test("a head is incomplete until its last byte, and the same with it")
  func pieces() {
    let text = "POST /a?b HTTP/1.1\r\nHost: a.test\r\nX-A: 1 \r\nContent-Length: 3\r\n\r\n"
    for count in 0..<text.utf8.count {
      #expect(ParsedRequest(String(text.prefix(count))).outcome == .incomplete, "\(count)")
    }
    let whole = ParsedRequest(text + "abc")
    #expect(whole.outcome == .complete && whole.head.length == text.utf8.count && whole.head.contentLength == 3)
  }

  @Test("PROXY headers of both versions name the client, and anything else is refused")
  func proxyHeader() {
    func read(_ bytes: [UInt8]) -> ProxyHeader.Outcome { ProxyHeader.read(bytes.span.bytes) }
    let first = Array("PROXY TCP4 192.0.2.1 192.0.2.2 5000 8080\r\nGET".utf8)
    #expect(read(first) == .source(.init(address: "192.0.2.1", port: 8080, length: 42)))
    for count in 0..<42 { #expect(read(Array(first[..<count])) == .incomplete) }
    #expect(read(Array("PROXY UNKNOWN\r\n".utf8)) == .source(.init(address: nil, port: nil, length: 15)))
    let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]
    let second = signature + [0x21, 0x11, 0, 12, 192, 0, 2, 1, 192, 0, 2, 2, 0x13, 0x88, 0x1F, 0x90]
    #expect(read(second) == .source(.init(address: "192.0.2.1", port: 8080, length: 28)))
    for count in 0..<28 { #expect(read(Array(second[..<count])) == .incomplete) }
    #expect(read(signature + [0x20, 0, 0, 0]) == .source(.init(address: nil, port: nil, length: 16)))
    for bad in ["GET / HTTP/1.1\r\n", "PROXY TCP4 a b 1 2\r\n", "PROXY TCP6 192.0.2.1 ::1 1 2\r\n", "PROXY \n"] {
      #expect(read(Array(bad.utf8)) == .malformed, "\(bad)")
    }
    #expect(read(signature + [0x31, 0x11, 0, 12]) == .malformed)
    #expect(read(signature + [0x21, 0x11, 0xFF, 0xFF]) == .malformed)
    #expect(read(signature + [0x21, 0x11, 0, 4, 1, 2, 3, 4]) == .malformed)
  }

  @Test("a page comes in the form the client asks for, and in HTML to everybody else")
  func pages() {
    #expect(PageFormat(accept: nil) == .html && PageFormat(accept: "*/*") == .html)
    #expect(PageFormat(accept: "text/html,application/xhtml+xml;q=0.9") == .html)
    #expect(PageFormat(accept: "application/json") == .json)
    #expect(PageFormat(accept: "application/vnd.heroku+json; version=3, */*") == .json)
    #expect(PageFormat(accept: "application/json;q=0, text/plain") == .text)
    let page = ErrorPage.unavailable(.requestTimeout)
    #expect(page.body(.json, requestID: "abc").contains("\"id\": \"H12\""))
    #expect(page.body(.text, requestID: nil).contains("H12 Request timeout"))
    #expect(page.body(.html, requestID: nil).contains("H12 Request timeout"))
  }

  @Test("PBKDF2 gives what others get (RFC 7914 section 11)")
  func derivation() {
    let hash = PBKDF2.derive(Array("passwd".utf8), salt: Array("salt".utf8), rounds: 1)
    #expect(hash.prefix(8) == [0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f])
    let slow = PBKDF2.derive(Array("Password".utf8), salt: Array("NaCl".utf8), rounds: 80_000)
    #expect(slow.prefix(8) == [0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21])
  }

  @Test("credentials are read as RFC 7617 writes them")
  func credentials() {
    let good = Credentials(authorization: "basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==")
    #expect(good?.name == "Aladdin" && good?.password == "open:sesame")
    for bad in ["", "Basic", "Basic !!!", "Bearer QWxhZGRpbjpvcGVu", "Basic QWxhZGRpbg=="] {
      #expect(Credentials(authorization: bad) == nil, "\(bad)")
    }
  }

  @Test("a date is written as HTTP writes it")
  func date() {
    #expect(String(decoding: LoopClock.date(784_111_777), as: UTF8.self) == "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
  }

  @Test("each time falls into the bucket that metrics name")
  func buckets() {
    #expect(Tally.bucket(0) == 0 && Tally.bucket(1_000) == 0 && Tally.bucket(1_001) == 1)
    for (index, bound) in RequestMetrics.bounds.enumerated() {
      #expect(Tally.bucket(bound * 1000) == index && Tally.bucket(bound * 1000 + 1) == index + 1)
    }
  }
}
