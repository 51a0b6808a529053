import Platform
import Testing

@testable import GitReceiver

private func parse(_ text: String) throws -> ExecRequest { try ExecRequest(parsing: Array(text.utf8)) }

private func refusal(_ text: String) -> ExecRefusal? {
  do {
    _ = try ExecRequest(parsing: Array(text.utf8))
    return nil
  } catch { return error }
}

@Suite("What an SSH client may ask for")
struct SSHExecRequestTests {
  @Test(
    "git's ways to name an app are understood",
    arguments: [
      "git-receive-pack 'hello.git'", "git-receive-pack '/hello.git'", "git-receive-pack hello",
      "git-receive-pack /hello", "git-receive-pack \"hello.git\"", "git receive-pack 'hello.git'",
      "  git-receive-pack   'hello.git'  ", "git-receive-pack 'hel'lo'.git'",
    ])
  func push(_ text: String) throws {
    #expect(try parse(text) == .push(AppName("hello")))
  }

  @Test(
    "a path that is not an app's name never gets past the parser",
    arguments: [
      "git-receive-pack '../../x.git'", "git-receive-pack '..'", "git-receive-pack '.git'", "git-receive-pack '/.git'",
      "git-receive-pack '/etc/passwd'", "git-receive-pack '//hello.git'", "git-receive-pack 'hello.git/'",
      "git-receive-pack 'a/b.git'", "git-receive-pack 'hello/../other.git'", "git-receive-pack '~/hello.git'",
      "git-receive-pack '~root'", "git-receive-pack 'HELLO.git'", "git-receive-pack 'hello.git.git'",
      "git-receive-pack ''", "git-receive-pack '/'", "git-receive-pack 'hello%00.git'", "git-receive-pack 'h\u{e9}llo'",
      "git-receive-pack '-rf'", "git-receive-pack --upload-pack=id", "git-receive-pack 'hello.git\n'",
      "git-upload-pack '../../x.git'", "git-receive-pack 'hello.git;id'", "git-receive-pack hello.git;id",
      "git-receive-pack '$(id)'", "git-receive-pack `id`", "git-receive-pack 'hello.git'|id",
      "git-receive-pack 'hello.git'&&id", "git-receive-pack 'hello'>'/tmp/x'", "git-receive-pack *",
    ])
  func hostilePath(_ text: String) {
    #expect(refusal(text)?.exitStatus == 2, "\(text)")
  }

  @Test(
    "git verbs take one argument and no options",
    arguments: [
      "git-receive-pack 'hello.git' 'other.git'", "git-receive-pack 'hello.git' ; id", "git-receive-pack -- hello.git",
      "git-receive-pack --strict hello.git", "git-receive-pack", "git receive-pack", "git-upload-pack a b",
      "git-receive-pack 'hello.git' ''",
    ])
  func oneArgument(_ text: String) {
    #expect(refusal(text) != nil, "\(text)")
  }

  @Test(
    "unknown verbs, other programs and roles of this one are refused",
    arguments: [
      "", "   ", "''", "ls", "sh", "/bin/sh -c id", "bash -i", "sudo id", "scp -t /tmp", "rsync --server .",
      "sftp-server", "internal-sftp", "server", "server --data /tmp", "server:stop", "receiver", "router --table x",
      "router", "router:", "router:restart:x", "worker build", "worker", "git-shell", "git-upload-archive 'hello.git'",
      "git", "git status", "git:set --deploy-branch main",
      "-c id", "--data /etc apps", "apps;id", "apps:", ":apps", "apps::create", "apps:-x", "APPS", "../apps",
      "apps/../sh", "$(apps)", "PATH=/tmp apps", "run:\u{202e}x",
    ])
  func unknown(_ text: String) {
    #expect(refusal(text)?.exitStatus == 2, "\(text)")
  }

  @Test("a refusal shows no control character of the client's")
  func printableRefusal() throws {
    let refused = try #require(refusal("'\u{1b}[31mred\u{7}'"))
    #expect(refused.message == "unknown command '?[31mred?'")
    #expect(refused.nextStep == "`help` lists the commands")
  }

  @Test("no command is led to another server, nor to a socket that trusts the receiver")
  func otherServers() throws {
    #expect(refusal("apps --host unix:/var/lib/paas/run/control.sock")?.message == "--host cannot be used over SSH")
    #expect(refusal("config -a hello --host=http://127.0.0.1:9/") != nil)
    let run = try parse("run -a hello -- mysql --host db")
    #expect(run == .command(name: "run", arguments: ["-a", "hello", "--", "mysql", "--host", "db"]))
  }

  @Test("shell metacharacters in arguments are plain text")
  func metacharacters() throws {
    #expect(
      try parse("config:set URL=http://h/?a=1&b=2 -a hello | tee $HOME/x; id > y `id` $(id)")
        == .command(
          name: "config:set",
          arguments: [
            "URL=http://h/?a=1&b=2", "-a", "hello", "|", "tee", "$HOME/x;", "id", ">", "y", "`id`", "$(id)",
          ]))
  }

  @Test("quotes and backslashes are read as sh reads them, and nothing is expanded")
  func quoting() throws {
    let text = #"config:set A='x  y' B="it's \"$HOME\" \n" C=a\ b D='' E="" F='a'"'"'b' G=\\"#
    #expect(
      try parse(text)
        == .command(
          name: "config:set",
          arguments: ["A=x  y", #"B=it's "$HOME" \n"#, "C=a b", "D=", "E=", "F=a'b", #"G=\"#]))
    #expect(try parse("config:set ''") == .command(name: "config:set", arguments: [""]))
    #expect(try parse("config:set A='1\n2'") == .command(name: "config:set", arguments: ["A=1\n2"]))
  }

  @Test(
    "text that cannot be split is refused",
    arguments: [
      "apps 'open", "apps \"open", "apps \\", "apps a\nid", "apps a\rb", "apps \u{0}", "apps \u{1b}[2J",
      "apps 'a\u{0}b'",
    ])
  func broken(_ text: String) {
    #expect(refusal(text) != nil)
  }

  @Test("invalid UTF-8 and oversized commands are refused")
  func bytes() {
    #expect(throws: ExecRefusal.self) { try ExecRequest(parsing: Array("apps ".utf8) + [0xFF, 0xFE]) }
    #expect(throws: ExecRefusal.self) {
      try ExecRequest(parsing: Array("apps ".utf8) + [UInt8](repeating: 97, count: 128 << 10))
    }
    #expect(throws: ExecRefusal.self) { try parse("apps" + String(repeating: " a", count: 600)) }
  }

  @Test("only run and ps:exec want a terminal, and not with --no-tty")
  func terminal() throws {
    #expect(try parse("run -a hello -- bash").wantsTerminal)
    #expect(try parse("ps:exec web.1").wantsTerminal)
    #expect(try parse("run -a hello -- cmd --no-tty").wantsTerminal)
    #expect(try !parse("run --no-tty -- bash").wantsTerminal)
    #expect(try !parse("run:list").wantsTerminal)
    #expect(try !parse("apps").wantsTerminal)
    #expect(try !parse("git-receive-pack hello").wantsTerminal)
  }
}
