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

  func addRouter(_ lines: [RouterLogLine]) {
    for (app, lines) in Dictionary(grouping: lines, by: \.app) {
      add(lines.map { LogLine(at: $0.at, text: $0.text) }, to: "router.log", of: app)
    }
  }

  private func add(_ lines: [LogLine], to name: String, of app: AppID) {
    // Logging must not end what it tells about: a full disk loses lines, nothing more.
    let path = "\(directory)/\(app)/\(name)"
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return }
    defer { close(file) }
    try? Files.writeAll(Array(lines.map(\.stored).joined().utf8), to: file, name: path)
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
    let (stream, continuation) = AsyncThrowingStream<String, any Error>.makeStream()
    let ending = Ending()
    continuation.onTermination = { _ in ending.end() }
    startThread {
      var reader = read
      for line in first { continuation.yield(line) }
      while tail, !ending.hasEnded {
        usleep(200_000)
        for line in reader.next() { continuation.yield(line) }
      }
      continuation.finish()
    }
    return stream
  }
}

/// Says to a thread that nobody listens any more.
private final class Ending: Sendable {
  private let isOver = Mutex(false)
  var hasEnded: Bool { isOver.withLock { $0 } }
  func end() { isOver.withLock { $0 = true } }
}
