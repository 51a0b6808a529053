@testable import GitReceiver

/// Objects that try out every rule of git's fsck.
enum FsckObjects {
  typealias Case = FsckTests.Case

  static let emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
  /// Without any meaning as `.gitmodules` or `.gitattributes`.
  static let blob = Array("# hello\n".utf8)
  static let other = Array("# another\n".utf8)
  static let commit = Array(
    """
    tree \(emptyTree)
    author A <a@b.c> 1700000000 +0000
    committer A <a@b.c> 1700000000 +0000

    hello

    """.utf8)
  static let blobID = id(.blob, blob)
  static let treeID = id(.tree, [])
  static let commitID = id(.commit, commit)

  static func id(_ kind: ObjectKind, _ data: [UInt8]) -> [UInt8] {
    // Nothing can go wrong with bytes in memory; a zero id would fail the test that uses it.
    data.withUnsafeBytes { data in (try? hash(data, kind: kind).bytes) ?? [UInt8](repeating: 0, count: 20) }
  }

  static func entry(_ mode: String, _ name: [UInt8], _ id: [UInt8]) -> [UInt8] {
    Array("\(mode) ".utf8) + name + [0] + id
  }

  /// Each entry names an object of the kind that its mode asks for.
  static func tree(_ entries: [(String, [UInt8])]) -> [UInt8] {
    entries.flatMap { mode, name in
      entry(mode, name, mode.hasSuffix("40000") ? treeID : mode.hasSuffix("160000") ? commitID : blobID)
    }
  }

  static let names: [[UInt8]] =
    [
      "a", "", ".", "..", "...", "a/b", "/", "/a", "a/", ".git", ".GIT", ".gIt", ".git ", ".git.", ".git. .", ".git...",
      ".git::$INDEX_ALLOCATION", ".git:x", ".git\\", ".git\\x", ".git x", ".gitx", ".gi", ".git\t", "git~1", "GIT~1",
      "GiT~1 .", "git~1:", "git~1\\", "git~2", "git~10", "git~", "git", "gi~1", "g", "a\\.git", "a\\.git\\b",
      "a\\GIT~1",
      "a\\..", "..\\a", "\\", "a\\", "\\.git", "\\\\.git", "a\\.gitx", "a\\.gitmodules", "a\\gitmod~1", "a\\gi7eba~1",
      "a\\.gitattributes", ".g\u{200C}it", "\u{200C}.git", ".git\u{200D}", "\u{FEFF}.git",
      ".\u{202A}g\u{202E}i\u{206A}t\u{206F}",
      ".gi\u{200B}t", ".gi\u{2060}t", ".\u{200C}", ".\u{200C}.", ".git\u{200C}.", ".g\u{131}t", ".g\u{130}t",
      ".git\u{FFFD}", "\u{2024}git",
      "\u{FEFF}", ".gitmodules", ".GITMODULES", ".gitModules ", ".gitmodules.", ".gitmodules:x", ".gitmodules\\",
      ".gitmodulesx",
      "gitmod~1", "GITMOD~4", "gitmod~5", "gitmod~0", "gitmod~11", "gitmod~1 ", "gitmod~1.:", "gi7eba~1", "GI7EBA~9",
      "gi7eba~0",
      "gi7eb~01", "gi7eb~10", "gi7e~123", "gi~12345", "g~123456", "~1234567", "~0234567", "~123456", "~12345678",
      "~1234567 .",
      "~123456a", "gi7eba~1x", "gi7ebb~1", "gi7ebab~", ".gitm\u{200E}odules", "\u{200E}.gitmodules",
      ".gitmodule\u{17F}",
      ".gitattributes", ".GitAttributes", "gitatt~1", "gi7d29~1", "gi7d2~11", ".gitattributes ", ".gitattributes:a",
      ".gitattri\u{206B}butes", ".gitignore", ".GITIGNORE", "gitign~1", "gi250a~1", ".mailmap", "mailma~1", "maba30~1",
      "git~1\u{200C}", "\u{200C}git~1", ".git\n", "-rf", "\u{1B}[1m", "a b", "a:b", "CON", "aux.c", "a.", "a ", "~",
      "~1", ".git/", ".git/x", ".Git\\..", "12345678", "1234567/", "1234567\\", "12345678\\.git", "abcdefg\\.git",
    ].map { Array($0.utf8) } + [
      [0x2E, 0x67, 0x69, 0x74, 0xFF], [0x2E, 0x67, 0x69, 0x74, 0xC0, 0x80], [0x2E, 0x67, 0x69, 0x74, 0xE2, 0x80],
      [0x2E, 0x67, 0x69, 0x74, 0xE2, 0x80, 0x8C, 0xFF], [0x2E, 0x67, 0x69, 0x74, 0xED, 0xA0, 0x80],
      [0x2E, 0x67, 0x69, 0x74, 0xEF, 0xBF, 0xBE], [0x2E, 0x67, 0x69, 0x74, 0xF0, 0x9F, 0xBF, 0xBE],
      [0x2E, 0x67, 0x69, 0x74, 0xF4, 0x90, 0x80, 0x80], [0x2E, 0x67, 0x69, 0x74, 0xF8, 0x88, 0x80, 0x80],
      [0x2E, 0x67, 0x69, 0x74, 0xF0, 0x80, 0x80, 0x80], [0x2E, 0x67, 0x69, 0x74, 0xE0, 0x80, 0x80],
      [0x2E, 0x67, 0xFF, 0x69, 0x74], [0xFF, 0x2E, 0x67, 0x69, 0x74], [0xFF], [0x80, 0x81], [0x2E, 0xFF],
      Array(".gitmodules".utf8) + [0xFE], Array(".gitattributes".utf8) + [0xC3], [0xE2, 0x80, 0x8C],
      [UInt8](repeating: 0x61, count: 4096), [0x67, 0x69, 0x37, 0xE5, 0x62, 0x61, 0x7E, 0x31],
    ]

  static let modes = [
    "100644", "100755", "120000", "40000", "160000", "100664", "104755", "100600", "100666", "100777", "100000",
    "20666",
    "10644", "60644", "140755", "040000", "0100644", "0", "00", "1", "644", "", " ", "9", "100648", "+100644", "-1",
    "1100644", "40000100644", "7777777777777777", "2040000", "40001", "40755", "120777", "120755", "160755", "170000",
    "x",
    "0x1", "100644 ", "30000", "50000", "0040000", "0120000",
  ]

  private static func names(_ entries: [(String, String)]) -> Case {
    Case("\(entries)", [(.tree, tree(entries.map { ($0, Array($1.utf8)) }))])
  }

  static let orders: [Case] = [
    [("100644", "a"), ("100644", "a")], [("100644", "b"), ("100644", "a")], [("100644", "a"), ("100644", "b")],
    [("40000", "a"), ("100644", "a")], [("100644", "a"), ("40000", "a")], [("40000", "a"), ("40000", "a")],
    [("100644", "a"), ("100644", "a.b"), ("40000", "a")], [("120000", "a"), ("100644", "a.b"), ("40000", "a")],
    [("160000", "a"), ("100644", "a.b"), ("40000", "a")], [("20666", "a"), ("100644", "a.b"), ("40000", "a")],
    [("100644", "a"), ("100644", "a-b"), ("100644", "a.b"), ("40000", "a")],
    [("100644", "a"), ("100644", "a.b"), ("100644", "a.b.c"), ("40000", "a.b"), ("40000", "a")],
    [("100644", "a"), ("100644", "a.b"), ("40000", "a.b"), ("100644", "a0")],
    [("100644", "a"), ("100644", "a.b"), ("100644", "a.bc"), ("40000", "a.b.c"), ("40000", "a")],
    [("100644", "a"), ("40000", "a.b"), ("40000", "a")], [("100644", "a"), ("40000", "a-"), ("40000", "a")],
    [("100644", "a"), ("40000", "a.b"), ("100644", "b"), ("40000", "c")],
    [("40000", "a"), ("100644", "a.b")], [("100644", "a.b"), ("40000", "a")], [("40000", "a"), ("100644", "a0")],
    [("100644", "a0"), ("40000", "a")], [("40000", "a-"), ("40000", "a")], [("40000", "a"), ("40000", "a-")],
    [("160000", "a"), ("100644", "a.b")], [("100644", "a.b"), ("160000", "a")], [("100644", "A"), ("100644", "a")],
    [("100644", "a"), ("100644", "A")], [("100644", "\u{7F}"), ("100644", "é")], [("100644", "é"), ("100644", "a")],
    [("100644", "ab"), ("100644", "a")], [("100644", "a"), ("100644", "ab"), ("40000", "abc"), ("100644", "b")],
    [("100644", "a"), ("100644", "a\u{1}"), ("40000", "a")],
    [("100644", "a"), ("100644", "a!"), ("40000", "a!"), ("40000", "a")],
    [("100644", "aaaaaaaaa"), ("100644", "aaaaaaaaab"), ("40000", "aaaaaaaab")],
    [("100644", "a"), ("100644", "a.a"), ("100644", "b"), ("100644", "b.b"), ("40000", "b")],
    [("100644", "a"), ("100644", "a.a"), ("100644", "a.a.a"), ("100644", "a.b"), ("100644", "a.b.b"), ("40000", "a")],
    [
      ("100644", "a"), ("100644", "a.a"), ("100644", "a.a.a"), ("100644", "a.b"), ("100644", "a.b.b"), ("40000", "a.b"),
    ],
    [("40755", "a"), ("100644", "a.b")], [("100644", "a.b"), ("40755", "a")],
  ].map(names)

  static let tornTrees: [Case] = {
    let whole = tree([("100644", Array("ab".utf8)), ("40000", Array("cd".utf8))])
    var cases = (0..<whole.count).map { Case("the first \($0) bytes of a tree", [(.tree, Array(whole.prefix($0)))]) }
    cases += (1..<8).map { Case("a tree from byte \($0) on", [(.tree, Array(whole.dropFirst($0)))]) }
    cases.append(Case("zeros", [(.tree, [UInt8](repeating: 0, count: 100))]))
    cases.append(Case("spaces", [(.tree, [UInt8](repeating: 0x20, count: 100))]))
    cases.append(Case("digits", [(.tree, [UInt8](repeating: 0x31, count: 100))]))
    cases.append(Case("a null id", [(.tree, entry("100644", [0x61], [UInt8](repeating: 0, count: 20)))]))
    cases.append(Case("a null id of a submodule", [(.tree, entry("160000", [0x61], [UInt8](repeating: 0, count: 20)))]))
    cases.append(Case("a missing blob", [(.tree, entry("100644", [0x61], ObjectID([9]).bytes))]))
    cases.append(Case("a missing submodule", [(.tree, entry("160000", [0x61], ObjectID([9]).bytes))]))
    cases.append(Case("a tree as a blob", [(.tree, entry("100644", [0x61], treeID))]))
    cases.append(Case("a blob as a tree", [(.tree, entry("40000", [0x61], blobID))]))
    cases.append(Case("a commit as a blob", [(.tree, entry("100644", [0x61], commitID))]))
    cases.append(
      Case("one id as both", [(.tree, entry("100644", [0x61], blobID) + entry("40000", [0x62], blobID))]))
    return cases
  }()

  static let persons: [String] = [
    "A <a@b.c> 1700000000 +0000", "A <a@b.c> 0 +0000", "A <a@b.c> 00 +0000", "A <a@b.c> 0x1 +0000",
    "A <a@b.c> -1 +0000",
    "A <a@b.c> -0 +0000", "A <a@b.c> +5 +0000", "A <a@b.c> -9223372036854775809 +0000",
    "A <a@b.c> -9223372036854775808 +0000",
    "A <a@b.c> -18446744073709551615 +0000", "A <a@b.c> -18446744073709551616 +0000",
    "A <a@b.c> 9223372036854775807 +0000", "A <a@b.c> 9223372036854775808 +0000",
    "A <a@b.c> 18446744073709551615 +0000",
    "A <a@b.c> 18446744073709551616 +0000", "A <a@b.c> 99999999999999999999999 +0000", "A <a@b.c>  17 +0000",
    "A <a@b.c> \t17 +0000",
    "A <a@b.c> 17 +000", "A <a@b.c> 17 +00000", "A <a@b.c> 17 0000", "A <a@b.c> 17 -0000", "A <a@b.c> 17 +00a0",
    "A <a@b.c> 17  +0000", "A <a@b.c> 17", "A <a@b.c> 17 ", "A <a@b.c>", "A <a@b.c> ", "A <a@b.c>17 +0000",
    "A<a@b.c> 17 +0000",
    "<a@b.c> 17 +0000", " <a@b.c> 17 +0000", "A a@b.c 17 +0000", "A a@b.c> 17 +0000", "A <a@b.c 17 +0000",
    "A <a<b> 17 +0000",
    "A <a@b.c>> 17 +0000", "A > <a> 17 +0000", "A < <a> 17 +0000", "", " ", "A", "A <> 17 +0000", "A  <a> 17 +0000",
    "A <a@b.c> \n17 +0000", "A <a@b.c> \u{B}17 +0000", "A <a@b.c> \n", "A <a@b.c> 17\n +0000", "A <a b> 17 +0000",
    "A <a> 17 +0000 x",
    "Ä <ö@ü> 17 +9999", "A <a> + +0000", "A <a> - +0000", "A <a> 1-7 +0000", "A <a> 017 +0000", "A <a>  017 +0000",
    "A <a> +017 +0000", "A <a> -017 +0000", "A <a> 0 0 +0000", "A <a> \r17 +0000", "A <a> 17 +0000\r",
    "A\r <a> 17 +0000",
  ]

  private static func commit(_ text: String) -> Case { Case(text, [(.commit, Array(text.utf8))]) }

  static let commits: [Case] = {
    let tree = "tree \(emptyTree)\n"
    let author = "author A <a@b.c> 17 +0000\n"
    let committer = "committer A <a@b.c> 17 +0000\n"
    let parent = "parent \(ObjectID(commitID))\n"
    var texts = [
      tree + author + committer + "\nhello\n", tree + author + committer, tree + author + committer + "\n",
      tree + author + committer + "x", tree + author + committer + "x\n",
      tree + author + committer + "gpgsig a\n b\n\nx",
      tree + author + String(committer.dropLast()), "", "\n", "\n\n", "x", tree, tree + "\n", author + committer + "\n",
      tree + committer + "\n", tree + author + "\n", tree + author + author + committer + "\n",
      tree + committer + author + "\n", tree + author + committer + committer + "\n",
      tree + parent + author + committer + "\n",
      tree + parent + parent + author + committer + "\n", tree + author + parent + committer + "\n",
      parent + tree + author + committer,
      tree + author + committer + parent + "\n", tree + tree + author + committer + "\n",
      "tree \(emptyTree)x\n" + author + committer,
      "tree \(emptyTree.dropLast())\n" + author + committer, "tree \(emptyTree.uppercased())\n" + author + committer,
      "tree " + String(repeating: "x", count: 40) + "\n" + author + committer,
      "tree  \(emptyTree)\n" + author + committer,
      "tree \(emptyTree) \n" + author + committer, "Tree \(emptyTree)\n" + author + committer,
      "tree\n" + author + committer,
      "tree " + String(repeating: "0", count: 40) + "\n" + author + committer,
      "tree \(ObjectID(blobID))\n" + author + committer, "tree \(ObjectID([9]))\n" + author + committer,
      tree + "parent \(emptyTree)\n" + author + committer, tree + "parent \(ObjectID([9]))\n" + author + committer,
      tree + "parent x\n" + author + committer, tree + "parent \(ObjectID(commitID)) \n" + author + committer,
      tree + "parent\n" + author + committer, tree + parent.uppercased() + author + committer,
      tree + "parent " + "\(ObjectID(commitID))".uppercased() + "\n" + author + committer,
      tree + "parent " + String(repeating: "0", count: 40) + "\n" + author + committer,
      tree + author + committer + "\nhel\0lo\n", tree + author + "comm\0itter A <a> 17 +0000\n\n",
      tree + "\0" + author + committer + "\n",
      tree + author + committer + "x\0\n\n", tree + author + committer + "\n\0", tree + author + committer + "\0",
      tree + "encoding x\n" + author + committer, tree + "\n" + author + committer, tree + author + "\n" + committer,
      "\n" + tree + author + committer, tree + author + committer + "\n\n\n", tree + author.uppercased() + committer,
      tree + parent + "parent", tree + parent + "parent \(ObjectID(commitID))",
    ]
    texts.append(tree.replacing("\n", with: "\r\n") + author + committer)
    return texts.map(commit)
  }()

  static let tags: [Case] = {
    let object = "object \(ObjectID(commitID))\n"
    let tagger = "tagger A <a@b.c> 17 +0000\n"
    let texts = [
      object + "type commit\ntag v1\n" + tagger + "\nhello\n", object + "type commit\ntag v1\n\nhello\n",
      object + "type commit\ntag v1\n",
      object + "type commit\ntag v1\n" + tagger, object + "type commit\ntag v1",
      object + "type commit\ntag \n" + tagger,
      object + "type commit\ntag\n" + tagger, object + "type commit\n" + tagger, object + "type commit\n",
      object + "type commit",
      object + "tag v1\n" + tagger, object + "type\ntag v1\n" + tagger, object + "type blob\ntag v1\n" + tagger,
      object + "type tree\ntag v1\n" + tagger, object + "type tag\ntag v1\n" + tagger,
      object + "type Commit\ntag v1\n" + tagger,
      object + "type commit \ntag v1\n" + tagger, object + "type \ntag v1\n" + tagger,
      object + "type commits\ntag v1\n" + tagger,
      object + "type com\ntag v1\n" + tagger, object + "type none\ntag v1\n" + tagger,
      object + "type aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\ntag v1\n" + tagger,
      object + "type commit\ntag a..b\n" + tagger, object + "type commit\ntag a b\n" + tagger,
      object + "type commit\ntag -a\n" + tagger,
      object + "type commit\ntag .lock\n" + tagger, object + "type commit\ntag ../x\n" + tagger,
      object + "type commit\ntag v1\n" + tagger + "extra x\n\nhello\n",
      object + "type commit\ntag v1\nextra x\n" + tagger + "\n",
      object + "type commit\ntag v1\n" + tagger + tagger + "\n",
      object + "type commit\ntag v1\n" + tagger + "\nhel\0lo",
      object + "type commit\ntag v\0\n" + tagger + "\n", object + "type commit\ntag v1\n" + tagger + "x", "", "\n\n",
      "object",
      "object \(ObjectID([9]))\ntype commit\ntag v1\n" + tagger,
      "object \(ObjectID(commitID))x\ntype commit\ntag v1\n" + tagger,
      "object " + "\(ObjectID(commitID))".uppercased() + "\ntype commit\ntag v1\n" + tagger,
      "object " + String(repeating: "0", count: 40) + "\ntype commit\ntag v1\n" + tagger,
      "type commit\n" + object + "tag v1\n" + tagger, object + object + "type commit\ntag v1\n" + tagger,
      object + "type commit\ntag v1\ntagger\n", object + "type commit\ntag v1\ntagger \n", object + "type blob\ntag \n",
      object + "type tag\ntag a\n", object + "type commit\ntag \n", object + "type commit\ntag x\n\n", object + "\n\n",
      object + "type commit\n\ntag v1\n" + tagger, object + "type commit\ntag v1\n" + tagger + "\0\n\n",
    ]
    return texts.map { Case($0, [(.tag, Array($0.utf8))]) }
  }()

  static let urls: [String] = [
    "https://example.com/a", "-a", "--upload-pack=x", "./-a", "../a", "..//a", "../:a", "./:a", "../../:x", "./../:x",
    ".././:x", "../a:b",
    "..\\\\a", "..\\\\:a", ".\\\\..\\\\:x", "..\\\\/x", "../%0ahost=x", "./%0a", "./a%0Ab", "../a:%0a", "%0a", "a%0ab",
    "..%0a", "../%00", "./%0", "./%0g",
    "https://", "https:///a", "https://%0a", "https://a%0ab/", "https://a/%0ab", "https://a:%0a/", "https://u%0a@h/",
    "https://u:p%0a@h/",
    "https://u:%0a@h/", "https://@h/", "https://u@/", "https://u:p@/", "https://h?%0a", "https://h#%0a", "https://?h",
    "https://#h", "https://h/?a@b",
    "https://:80/", "https://:%0a/", "https://a:80%0a/", "https://%61/", "https://%00/", "https://a@b@c/",
    "https://a:b:c@d/",
    "http://", "http:///x", "ftp://", "ftps://", "ftps://%0a", "https::https://a", "https::a", "https::", "https::://x",
    "http::x://h%0a/", "http::x://h/",
    "https::example.com/a", "ftp::-x", "HTTPS://", "https:/a", "https:a", "ssh://%0a", "git@h:a", "file:///a",
    "ext::sh -c x", "git://%0a", "git://",
    "/abs", "a/b", "", ".", "..", "./", "../", ".\\\\", "...", ".a", "..a:", "http://a\\\\b/", "https://a/b:%0a",
    "https://h/x:y%0a",
    "https://u:%0ap@h/", "https://u%0a:p@h/", "https://h%0a:80/x", "https://h:80/x%0a", "x://%0a", "https://a?b:c@d%0a",
    "https://a/b@c%0a",
    "https://h//%0a", "https://h/////", "https://h/a//", "https:// /", "https://h/%0d", "https://h%0d/", "https://%0d/",
  ]

  static let modules: [[UInt8]] =
    [
      "", "\n", "[submodule \"a\"]\n\tpath = a\n\turl = ../a\n", "[submodule \"..\"]\n\turl = ../a\n",
      "[submodule \"..\"]\n",
      "[submodule \"../a\"]\nurl=a\n", "[submodule \"a/..\"]\nurl=a\n", "[submodule \"a/../b\"]\nurl=a\n",
      "[submodule \"a\\\\..\\\\b\"]\nurl=a\n",
      "[submodule \"..a\"]\nurl=a\n", "[submodule \"a..\"]\nurl=a\n", "[submodule \"\"]\nurl=a\n",
      "[submodule \"/\"]\nurl=a\n",
      "[submodule \"//..\"]\nurl=a\n", "[submodule]\nurl=-a\n", "[submodule.a]\nurl=-a\n", "[submodule.A]\nurl=-a\n",
      "[submodule...]\nurl=a\n",
      "[submodule..]\nurl=a\n", "[submodule.]\nurl=a\n", "[SUBMODULE \"a\"]\nURL=-a\n", "[other \"..\"]\nurl=-a\n",
      "[submodulex \"..\"]\nurl=-a\n",
      "[submodule \"a\"]\npath=-a\n", "[submodule \"a\"]\npath = \"-a\"\n", "[submodule \"a\"]\npath = a -b\n",
      "[submodule \"a\"]\npath\n",
      "[submodule \"a\"]\nurl\n", "[submodule \"a\"]\nupdate\n", "[submodule \"a\"]\nupdate = !x\n",
      "[submodule \"a\"]\nupdate = \" !x\"\n",
      "[submodule \"a\"]\nupdate = none\n", "[submodule \"a\"]\nupdate = other\n", "[submodule \"a\"]\nupdate = !\n",
      "[submodule \"a\"]\nupdate=\\!x\n",
      "[submodule \"a\"]\nurl = \"-a\n", "[submodule \"a\"]\nurl = -a\\q\n", "[submodule \"a\"]\nurl = -a ; c\n",
      "[submodule \"a\"]\nurl = ; -a\n",
      "[submodule \"a\"]\nurl = \\\n-a\n", "[submodule \"a\"]\nurl = a\\n-b\n", "[submodule \"a\"]\nurl = ./a\\nb\n",
      "[submodule \"a\"]\nurl = https://h\\nx/\n",
      "[submodule \"a\"]\nurl = https://h/\\\"\n", "[submodule \"a\"] url = -a\n", "[submodule \"a\"]url=-a",
      "[submodule \"a\"]\n url = -a",
      "[submodule \"a\"]\nurl=a\n[\n", "[submodule \"a\"]\nurl=-a\n[\n", "[\nsubmodule \"a\"]\nurl=-a\n",
      "[submodule \"a\"\nurl=-a\n", "[submodule \"a]\nurl=-a\n",
      "[submodule a]\nurl=-a\n", "[submodule\t\"a\"]\nurl=-a\n", "[submodule  \"a\"]\nurl=-a\n",
      "[submodule \"a\" ]\nurl=-a\n", "[ submodule \"a\"]\nurl=-a\n",
      "[submodule \"a\\\"b\"]\nurl=-a\n", "[submodule \"a\\\nb\"]\nurl=-a\n", "[submodule \"a\nb\"]\nurl=-a\n",
      "[submodule \"\\..\"]\nurl=a\n",
      "url=-a\n", "[submodule \"a\"]\n1url=-a\n", "[submodule \"a\"]\nurl_x=-a\nurl=-a\n",
      "[submodule \"a\"]\nu-r=1\nurl=-a\n", "[submodule \"a\"]\n#x\n;y\nurl=-a\n",
      "; [submodule \"..\"]\nurl=-a\n", "[submodule \"a\"]\nurl\t=\t-a\n", "[submodule \"a\"]\nurl x\npath=-a\n",
      "[submodule \"a\"]\r\nurl=-a\r\n",
      "[submodule \"a\"]\nurl=a\rb\nurl=-x\n", "[submodule \"a\"]\nurl\r=-a\n", "[submodule \"a\"]\nurl=\r-a\n",
      "[submodule \"a\"]\nurl=\u{B}-a\n",
      "\u{FEFF}[submodule \"a\"]\nurl=-a\n", "\u{FEFF}", "\u{FEFF}\u{FEFF}[submodule \"a\"]\nurl=-a\n",
      "é\n[submodule \"a\"]\nurl=-a\n",
      "[submodule \"é\"]\nurl=-é\n", "[submodule \"é\"]\nurl=é\n", "[submodulé \"a\"]\nurl=-a\n",
      "[submodule \"a\"]\nurl=\"\"-a\n", "[submodule \"a\"]\nurl=\"-\"a\n",
      "[submodule \"a\0b\"]\nurl=-a\n", "[submodule \"..\0b\"]\nurl=-a\n", "[submodule \"a.b\0c\"]\nurl=-a\n",
      "[submodule \"a\"]\nurl=\0-a\n", "[submodule \"a\"]\nurl=-\0a\n",
      "[submodule \"a\"]\nurl=https://\0h/\n", "[submodule \"a\"]\nurl\0=-a\n", "\0[submodule \"a\"]\nurl=-a\n",
      "[submodule \"a\"]\n\0\nurl=-a\n",
      "[sub.module \"a\"]\nurl=-a\n", "[submodule.x \"..\"]\nurl=a\n", "[submodule.x \"a\"]\nurl=-a\n",
      "[submodule \"a\"]\n[b]\nurl=-a\n",
      "[submodule \"a\"]\nurl=ok\nurl=-a\n", "[submodule \"a.url\"]\nx=-a\n", "[submodule \"a\"]\npath=!a\nupdate=-x\n",
      "[submodule \"a\"]\nbranch=-x\nignore=-x\n",
      "[submodule \"a\"]\nurl=-a", "[submodule \"a\"]\nurl=", "[submodule \"a\"]\nurl", "[submodule \"..\"]\nx",
      "[submodule \"..\"]x", "[submodule \"a\"", "[", "]", "=",
      "[submodule \"a\"]\nurl = a \\", "[submodule \"a\"]\nurl = -a \\", "[submodule \"..\"]\nurl = a\\",
      "[submodule \"..\"]\nurl = \"a", "[]\nurl=-a\n", "[.]\nurl=-a\n",
      "[submodule \"a\"]\nurl=a#-b\n", "[submodule \"a\"]\nurl=\"a#\n-b\"\n", "[submodule \"a\"]\nurl=\"-#\"\n",
      "[include]\npath=/etc/passwd\n", "[submodule \"a.url\0x\"]\nb=ok\nc=-a\n", "[submodule \"a.\0x\"]\nurl=-a\n",
      "[submodule \".\0x\"]\nb=a\n", "[submodule \"\0x\"]\nurl=-a\n", "[submodule \"...update\0\"]\nb=a\n",
      "[submodule \"a\"]\nurl=ok\n[submodule \"..\"]\n[submodule \"b\"]\nurl=ok\n",
      "[submodule \"a\"]\nurl=ok\n[submodule \"a\"]\nurl=ok\n[submodule \"b/..\"]\nx\n",
      "[submodule \"a\"]\nurl=ok\n[a]\nurl=-a\n[submodule \"b\"]\nurl=-a\n", "[a]\nb=c\n[submodule \"..\"]\nx=y\n",
    ].map { Array($0.utf8) } + [
      Array("[submodule \"a\"]\nurl=x".utf8) + [0xFF] + Array("\nurl=-a\n".utf8),
      Array("[submodule \"a".utf8) + [0xFF] + Array("\"]\nurl=-a\n".utf8),
      [0xFF] + Array("[submodule \"a\"]\nurl=-a\n".utf8),
      Array("[submodule \"a\"]\nurl=x".utf8) + [0xFF] + Array("update=!a\n".utf8),
      Array("[submodule \"a\"]\nurl=x".utf8) + [0xFF] + Array("[submodule \"..\"]\nurl=-a\n".utf8),
      Array("[submodule \"a\"]\nurl=x".utf8) + [0xFF] + Array("# \nurl=-a\n".utf8),
      Array("[submodule \"a\"]\nurl=x\r".utf8) + [0xFF] + Array("y\nurl=-a\n".utf8),
      Array("[submodule \"a\"]\nurl=x\r".utf8), Array("[submodule \"a\"]\nurl=x\r\r\nurl=-a".utf8),
      Array("[submodule \"a\"]\nurl=x".utf8) + [0xFF] + Array("u=-a\nurl=-a".utf8),
      Array("[submodule \"a\"]\nurl=x".utf8) + [0xFF] + Array("u\nurl=-a".utf8),
      Array("[submodule \"a\"]\n".utf8) + [0xFF] + Array("\nurl=-a\n".utf8),
      [0xEF] + Array("[submodule \"a\"]\nurl=-a\n".utf8),
      [0xEF, 0xBB] + Array("[submodule \"a\"]\nurl=-a\n".utf8),
      Array("[submodule \"a\"]\nurl=-a".utf8) + [0xFF] + Array("\n".utf8),
      Array("[submodule \"a\"]\nurl".utf8) + [0xFF] + Array("\nupdate=!a\n".utf8),
      Array("# x".utf8) + [0xFF] + Array("\n[submodule \"..\"]\nurl=-a\n".utf8),
    ]
}
