import Testing

@testable import Platform

@Suite("Domain names have one form")
struct DomainNameTests {
  @Test(
    "the samples of RFC 3492 section 7.1 and others encode and decode",
    arguments: [
      ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
      ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"), ("bücher", "bcher-kva"), ("münchen", "mnchen-3ya"),
      ("ü", "tda"), ("☃", "n3h"),
      ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"), ("ドメイン", "eckwd4c7c"),
      ("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b"), ("abc", "abc-"),
    ])
  func punycode(text: String, encoded: String) {
    #expect(Punycode.encode(text) == encoded)
    #expect(Punycode.decode(encoded) == text)
  }

  @Test(
    "what is no encoding does not decode, and ends nothing",
    arguments: [
      "\u{80}", "99999999", "zzzzzzzzzzzzzzzzzzzzzzzzzz", "a-ü", "!!", "-\u{7F}", String(repeating: "9", count: 300),
    ])
  func badPunycode(text: String) {
    #expect(Punycode.decode(text) == nil)
  }

  @Test(
    "case, dot and script make no second name",
    arguments: [
      ("Example.COM", "example.com"), ("example.com.", "example.com"), ("BÜCHER.example", "xn--bcher-kva.example"),
      ("bu\u{308}cher.example", "xn--bcher-kva.example"), ("xn--BCHER-kva.Example.", "xn--bcher-kva.example"),
      ("例え。テスト", "xn--r8jz45g.xn--zckzah"), ("*.Example.com", "*.example.com"), ("*.bücher.de", "*.xn--bcher-kva.de"),
      ("straße.de", "xn--strae-oqa.de"), ("intranet", "intranet"), ("a--b.example.com", "a--b.example.com"),
      (String(repeating: "a", count: 63) + ".de", String(repeating: "a", count: 63) + ".de"),
      ("1.example", "1.example"),
    ])
  func normalized(text: String, expected: String) throws {
    #expect(try DomainName(text).description == expected)
    #expect(try DomainName(expected).description == expected)
  }

  @Test(
    "what is no name is refused",
    arguments: [
      "", ".", "..", "a..b", ".a", "a b", "a_b.de", "-a.de", "a-.de", "http://a.de", "a.de/x", "a.de:80", "[::1]",
      "::1",
      "127.0.0.1", "1.2.3", "0x7f.1", "1.2.3.0x4", "10", "*", "*.com", "a.*.de", "*a.example.de", "www.*", "**.a.de",
      "a.*",
      "a\u{0}b.de", "a\nb.de", "xn--.de", "xn--a.de", "xn--bcher-kvb9999.de", "xn--BÜCHER.de", "a\u{200D}b.de", "☃.de",
      "\u{301}a.de", "ﬁ.de", "ａ.de\u{202E}", "a.de\u{FEFF}", "user@a.de", "a%2e.de", "xn--abc-.de",
      String(repeating: "a", count: 64) + ".de", String(repeating: "ü", count: 60) + ".de",
      Array(repeating: "aaaaaaaaa", count: 26).joined(separator: "."), String(repeating: "a.", count: 2000),
    ])
  func refused(text: String) {
    #expect(throws: NameError.self) { try DomainName(text) }
  }

  @Test("a wildcard covers every name below its own, and no other")
  func covers() throws {
    let all = try DomainName("*.example.com")
    for name in ["a.example.com", "b.a.example.com", "*.a.example.com", "*.example.com"] {
      #expect(all.covers(try DomainName(name)), "\(name)")
    }
    for name in ["example.com", "aexample.com", "a.example.org", "*.ample.com"] {
      #expect(!all.covers(try DomainName(name)), "\(name)")
    }
    #expect(try !DomainName("a.example.com").covers(DomainName("a.example.com")))
  }

  @Test("a path prefix is whole segments of plain characters", arguments: ["/api", "/v1/users", "/a.b~c_d-e", "/api/"])
  func prefix(text: String) throws {
    #expect(try PathPrefix(text).description == (text == "/api/" ? "/api" : text))
  }

  @Test(
    "anything else is none",
    arguments: [
      "", "/", "//", "api", "/a//b", "/..", "/a/../b", "/.", "/a%2f", "/a?b", "/a#b", "/ä", "/a b", "/a\\b", "/a;b",
    ])
  func badPrefix(text: String) {
    #expect(throws: NameError.self) { try PathPrefix(text) }
  }

  @Test(
    "a network has one form",
    arguments: [
      ("192.0.2.77/24", "192.0.2.0/24"), ("198.51.100.7", "198.51.100.7"), ("0.0.0.0/0", "0.0.0.0/0"),
      ("2001:DB8:0:0::1/32", "2001:db8::/32"), ("::1", "::1"), ("10.1.2.3/9", "10.0.0.0/9"),
      ("fe80::1/128", "fe80::1"), ("192.0.2.1/32", "192.0.2.1"),
    ])
  func network(text: String, expected: String) throws {
    #expect(try Network(text).description == expected)
  }

  @Test(
    "what is no network is refused",
    arguments: [
      "", "/", "1.2.3.4/33", "1.2.3/8", "::1/129", "1.2.3.4/-1", "1.2.3.4/", "a.b.c.d", "1.2.3.4/24/8", "1.2.3.4\u{0}",
      "fe80::1%lo", "1.2.3.4/024x",
    ])
  func badNetwork(text: String) {
    #expect(throws: NameError.self) { try Network(text) }
  }
}
