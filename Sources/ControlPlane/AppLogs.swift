import Glibc
import Linux
public import Platform
import Store
import Synchronization
import Wire

/// The logs of all apps: `logs/APPID/*.log`. Instances' files are written by their engine, `paas.log` and `router.log`
/// here.
struct AppLogs: Sendable {
  var directory: String

  /// Makes an app's directory. Without it lines are dropped, so that nothing comes back of an app that was destroyed.
  func make(_ app: AppID) throws { try Files.makeDirectory("\(directory)/\(app)", mode: 0o700) }

  /// A line of the platform's own; `process` when it is about one. A line that cannot be written is lost.
  func note(_ app: AppID, _ text: String, process: String? = nil) {
    add([LogLine(at: .now, text: (process.map { $0 + "\t" } ?? "") + text)], to: "paas.log", of: app)
  }

  /// The router's lines as they came over the wire; blocks.
  func addRouter(_ body: [UInt8]) {
    for (app, bytes) in RouterLog(body).batches { append(bytes, to: "router.log", of: app) }
  }

  private func add(_ lines: [LogLine], to name: String, of app: AppID) {
    append(Array(lines.map(\.stored).joined().utf8), to: name, of: app)
  }

  private func append(_ bytes: [UInt8], to name: String, of app: AppID) {
    // Logging must not end what it tells about: a full disk loses lines, nothing more.
    let path = "\(directory)/\(app)/\(name)"
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    try? Files.writeAll(bytes, to: file, name: path)
  }
}

extension ControlPlane {
  /// The last lines of all of an app's logs by time, formatted, without line ends; with `tail`, what follows too.
  public func logs(_ app: String, lines: Int, tail: Bool, filter: LogFilter, by account: Account) async throws
    -> AsyncThrowingStream<String, any Error>
  {
    let record = try await find(app, by: account)
    let reader = LogReader(directory: "\(configuration.dataDirectory)/logs/\(record.id)", filter: filter)
    let count = min(max(0, lines), 10_000)
    let (first, read) = await blocking {
      var reader = reader
      return (reader.last(count), reader)
    }
    let follower = LogFollower(first, read)
    return AsyncThrowingStream {
      while true {
        if let line = follower.take() { return line }
        guard tail, !Task.isCancelled else { return nil }
        // conmon writes the files and tells nobody; five looks a second are what a reader takes for at once. A sleep
        // that is cancelled throws, and the next round ends.
        try? await Task.sleep(for: .milliseconds(200))
        await blocking { follower.readOn() }
      }
    }
  }
}

/// Lines that were read and are not taken yet; more is read only when somebody asks for it.
private final class LogFollower: Sendable {
  private struct State {
    var lines: ArraySlice<String>
    var reader: LogReader
  }

  private let state: Mutex<State>

  init(_ lines: [String], _ reader: LogReader) { state = Mutex(State(lines: lines[...], reader: reader)) }

  func take() -> String? { state.withLock { $0.lines.popFirst() } }

  /// Blocks.
  func readOn() {
    state.withLock { state in
      let lines = state.reader.next()
      state.lines = state.lines + lines
    }
  }
}
