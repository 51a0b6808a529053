import ArgumentParser
import Client
import Platform
import Testing
import Wire

@testable import Commands

struct TestRoot: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "paas", subcommands: Commands.all)
}

@Suite("Command lines")
struct CommandLineTests {
  private func normalized(_ line: String, ssh: Bool = false) -> String {
    let words = line.split(separator: " ").map(String.init)
    return CommandLineWords.normalized(words, CommandEnvironment(isOverSSH: ssh)).joined(separator: " ")
  }

  @Test(
    "over SSH the app may come first, as with Dokku",
    arguments: [
      ("ps:scale hello web=2", "ps:scale --app hello web=2"), ("logs -t hello", "logs --app hello -t"),
      ("logs -n 5 hello", "logs --app hello -n 5"), ("ps:scale web=2 -a hello", "ps:scale web=2 -a hello"),
      ("ps:scale web=2 --app=hello", "ps:scale web=2 --app=hello"), ("apps:create hello", "apps:create hello"),
      ("run hello env", "run --app hello -- env"), ("explain H10", "explain H10"),
      ("releases -a hello", "releases -a hello"),
      ("releases --help", "releases --help"), ("rollback hello v3", "rollback --app hello v3"),
    ])
  func dokku(line: String, expected: String) {
    #expect(normalized(line, ssh: true) == expected)
  }

  @Test("elsewhere words keep their places")
  func local() {
    #expect(normalized("ps:restart web.1") == "ps:restart web.1")
  }

  @Test(
    "options of run may stand anywhere before --, everything else is the command's",
    arguments: [
      ("run env -a hello", "run -a hello -- env"), ("run -a hello -- ls -a /tmp", "run -a hello -- ls -a /tmp"),
      ("run -a hello ls -l", "run -a hello -- ls -l"), ("run --no-tty -e A=1 env", "run --no-tty -e A=1 -- env"),
      ("run --help", "run --help"), ("run python --help", "run -- python --help"), ("run ls -a", "run -- ls -a"),
    ])
  func run(line: String, expected: String) {
    #expect(normalized(line) == expected)
  }

  @Test("one word of run is a line for the shell, several keep their borders")
  func shellWords() {
    #expect(ShellWords.command(["echo $HOME | wc"]) == "echo $HOME | wc")
    #expect(ShellWords.command(["python", "-c", "print('a b')"]) == #"python -c 'print('\''a b'\'')'"#)
    #expect(ShellWords.quoted("") == "''")
  }

  @Test(
    "every command of the table parses under its name and its aliases",
    arguments: [
      "apps", "apps:create x1", "create", "apps:info -a x1", "apps:destroy -a x1 --confirm x1", "git:remote -a x1",
      "keys",
      "keys:add f", "ssh-keys:add f", "keys:remove SHA256:x", "config -s", "config:get A", "config:set A=1 B=2",
      "config:unset A",
      "ps --json", "ps:scale web=3 worker+1", "ps:restart web.1", "releases -n 3 --json", "releases:info v3 --json",
      "releases:rollback v3", "rollback", "builds", "builds:info", "builds:output", "builds:create --tar x", "deploy",
      "run -- env", "logs -t -n 5 -p web -s app", "whoami", "doctor", "explain H10", "version",
    ])
  func parses(line: String) throws {
    let words = line.split(separator: " ").map(String.init)
    _ = try TestRoot.parseAsRoot(CommandLineWords.normalized(words, CommandEnvironment()))
  }

  @Test(
    "a change of the formation",
    arguments: [
      ("web=3", "web", 3, false), ("worker+1", "worker", 1, true), ("web-2", "web", -2, true),
      ("my-type=0", "my-type", 0, false),
    ])
  func change(text: String, type: String, quantity: Int, relative: Bool) throws {
    let change = try ProcessesScale.change(text)
    #expect(change.type == type)
    #expect(change.quantity == quantity)
    #expect(change.relative == relative)
  }

  @Test(
    "a change that is none is a usage error", arguments: ["web", "web=", "web=x", "=3", "web=-1", "web=1001", "we b=1"])
  func badChange(text: String) {
    let error = #expect(throws: (any Error).self) { try ProcessesScale.change(text) }
    #expect(error.map { ExitStatus(of: $0, TestRoot.self) } == .usage)
  }

  @Test("a config var's value is taken as it is, or read from a file, but never from a file over SSH")
  func assignment() async throws {
    let (key, value) = try await ConfigSet.assignment("GREETING=a=b 'c' ", CommandEnvironment())
    #expect(key.description == "GREETING")
    #expect(value == "a=b 'c' ")
    let (_, file) = try await ConfigSet.assignment("A=@\(#filePath)", CommandEnvironment())
    #expect(file.hasPrefix("import ArgumentParser"))
    await #expect(throws: CommandError.self) {
      try await ConfigSet.assignment("A=@/etc/passwd", CommandEnvironment(isOverSSH: true))
    }
    await #expect(throws: NameError.self) { try await ConfigSet.assignment("1A=x", CommandEnvironment()) }
  }
}

@Suite("Which server")
struct ConnectionTests {
  @Test("the flag comes before the environment, and that before the local server's socket")
  func order() throws {
    let flagged = try ConnectionOptions.parse(["--host", "unix:/flag"])
    let plain = try ConnectionOptions.parse([])
    let environment = CommandEnvironment(host: "https://example.org", dataDirectory: "/d")
    #expect(try flagged.client(environment).address == .unix(path: "/flag"))
    #expect(try plain.client(environment).address == .url("https://example.org"))
    #expect(try plain.client(CommandEnvironment(dataDirectory: "/d")).address == .unix(path: "/d/run/control.sock"))
  }

  @Test("over SSH nobody can have their commands, and the session's token, sent elsewhere")
  func overSSH() throws {
    let options = try ConnectionOptions.parse(["--host", "http://192.0.2.1"])
    #expect(throws: CommandError.self) {
      try options.client(CommandEnvironment(host: "unix:/run/receiver.sock", isOverSSH: true))
    }
  }
}

@Suite("Exit status")
struct ExitStatusTests {
  @Test(
    "follows from the kind of error",
    arguments: [
      ("not_found", 3), ("forbidden", 4), ("unauthorized", 4), ("conflict", 5), ("locked", 5), ("invalid_params", 2),
      ("release_failed", 1), ("internal_server_error", 1),
    ])
  func ofAPIErrors(id: String, status: Int32) {
    #expect(ExitStatus(of: APIError(id: id, message: ""), TestRoot.self).rawValue == status)
  }

  @Test("a server that does not run is 1, a child's own status stays, help is 0, and bad usage is 2")
  func others() {
    func status(_ error: any Error) -> Int32 { ExitStatus(of: error, TestRoot.self).rawValue }
    func parse(_ words: String...) -> Int32 {
      do {
        _ = try TestRoot.parseAsRoot(words)
        return -1
      } catch { return status(error) }
    }
    #expect(status(ClientError.notRunning(.unix(path: "/x"))) == 1)
    #expect(status(ExitCode(42)) == 42)
    #expect(parse("--help") == 0 || parse("--help") == -1)
    #expect(parse("no-such-command") == 2)
    #expect(parse("releases", "-n", "x") == 2)
    #expect(parse("config:get") == 2)
  }
}
