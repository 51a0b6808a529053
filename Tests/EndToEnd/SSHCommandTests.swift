import ArgumentParser
import Commands
import Testing

@testable import GitReceiver

/// The receiver keeps its own list of what may be used from outside, because it shares no code with the commands.
@Suite("Commands over SSH")
struct SSHCommandTests {
  /// None: each command works with nothing but ssh. One that must not be used from there is named here, with the reason.
  private static let exceptions: Set<String> = []

  @Test("every command that exists can be used over SSH, by each of its names")
  func all() throws {
    var refused: Set<String> = []
    for command in Commands.all {
      let configuration = command.configuration
      for name in [try #require(configuration.commandName)] + configuration.aliases {
        let request = try? ExecRequest(parsing: Array("\(name) -a hello".utf8))
        if request != .command(name: name, arguments: ["-a", "hello"]) { refused.insert(name) }
      }
    }
    #expect(refused == Self.exceptions)
  }
}
