import Glibc
import Linux
import Platform
import Testing

@testable import Commands

@Suite("Which app")
struct AppSelectionTests {
  /// A directory with a repository's config, removed with it.
  private final class Repository {
    let path = "/tmp/paas-git-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    init(_ config: String) throws {
      try Files.makeDirectory("\(path)/.git")
      try Files.makeDirectory("\(path)/deep/er")
      try Files.writeDurably(Array(config.utf8), to: "\(path)/.git/config", mode: 0o644)
    }

    deinit { _ = try? Files.removeTree(path) }  // a leftover in /tmp harms nobody
  }

  private let config = """
    [core]
    \tbare = false
    [remote "origin"]
    \turl = https://example.org/other.git
    [remote "paas"]
    \turl = ssh://paas@localhost:2222/hello.git
    \tfetch = +refs/heads/*:refs/remotes/paas/*
    [branch "main"]
    \turl = no

    """

  @Test("the flag comes before the environment, and that before the git remote")
  func order() throws {
    let repository = try Repository(config)
    var environment = CommandEnvironment(app: "from-env", directory: "\(repository.path)/deep/er")
    #expect(try AppSelection.app(flag: "flagged", remote: nil, environment) == "flagged")
    #expect(try AppSelection.app(flag: nil, remote: nil, environment) == "from-env")
    #expect(try AppSelection.app(flag: nil, remote: "paas", environment) == "hello")
    environment.app = nil
    #expect(try AppSelection.app(flag: nil, remote: nil, environment) == "hello")
  }

  @Test("without any of them the error says what to add")
  func none() throws {
    let repository = try Repository("[core]\n")
    let environment = CommandEnvironment(directory: repository.path)
    let error = #expect(throws: CommandError.self) { try AppSelection.app(flag: nil, remote: nil, environment) }
    #expect(error?.status == .usage)
    #expect(error?.nextStep?.contains("paas git:remote -a APP") == true)
  }

  @Test("over SSH the server's own directory is not looked at")
  func overSSH() throws {
    let repository = try Repository(config)
    let environment = CommandEnvironment(isOverSSH: true, directory: repository.path)
    #expect(throws: CommandError.self) { try AppSelection.app(flag: nil, remote: nil, environment) }
  }

  @Test("a name that is none goes no further", arguments: ["../etc", "a/b", "-x", ""])
  func hostile(name: String) {
    #expect(throws: NameError.self) { try AppSelection.app(flag: name, remote: nil, CommandEnvironment()) }
  }

  @Test(
    "the app of a URL",
    arguments: [
      ("ssh://paas@localhost:2222/hello.git", "hello"), ("paas@host:hello.git", "hello"), ("ssh://h/hello", "hello"),
      ("https://example.org/", nil), ("ssh://h/../UP.git", nil),
    ])
  func urls(url: String, app: String?) {
    #expect(AppSelection.appName(inURL: url) == app)
  }

  @Test("setting a remote changes its URL and nothing else, and makes it where it is missing")
  func setRemote() throws {
    let repository = try Repository(config)
    var git = try #require(try GitConfig.find(from: repository.path))
    git.setURL("ssh://paas@h:2222/new.git", ofRemote: "paas")
    try git.write()
    let changed = try Files.text("\(repository.path)/.git/config")
    #expect(changed == config.replacing("ssh://paas@localhost:2222/hello.git", with: "ssh://paas@h:2222/new.git"))

    let empty = try Repository("[core]\n\tbare = false\n")
    var fresh = try #require(try GitConfig.find(from: empty.path))
    fresh.setURL("ssh://paas@h:2222/new.git", ofRemote: "paas")
    #expect(
      fresh.lines.joined(separator: "\n") == """
        [core]
        \tbare = false
        [remote "paas"]
        \turl = ssh://paas@h:2222/new.git
        \tfetch = +refs/heads/*:refs/remotes/paas/*

        """)
  }

  @Test("the control socket is that of PAAS_DATA, else of the default data directory")
  func controlSocket() {
    #expect(CommandEnvironment(dataDirectory: "/d").controlSocket == "/d/run/control.sock")
    #expect(CommandEnvironment(home: "/home/u").controlSocket == "/home/u/.local/share/paas/run/control.sock")
    #expect(CommandEnvironment(home: "/root", isRoot: true).controlSocket == "/var/lib/paas/run/control.sock")
  }
}
