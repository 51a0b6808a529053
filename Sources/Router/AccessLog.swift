import Platform
import Synchronization
import Wire

/// Access log lines on their way to the server. While it is away the newest lines are dropped, and counted per app.
final class AccessLog: Sendable {
  private struct State {
    var lines: [RouterLogLine] = []
    var dropped: [AppID: Int] = [:]
  }

  private let state = Mutex(State())
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  func append(_ line: AccessLine, app: AppID) {
    let entry = RouterLogLine(app: app, at: .now, text: line.text)
    state.withLock { state in
      if state.lines.count < limit { state.lines.append(entry) } else { state.dropped[app, default: 0] += 1 }
    }
  }

  /// The oldest lines, 500 at most; after the last one a line for each app that lost some (L10).
  func take() -> [RouterLogLine] {
    state.withLock { state in
      let batch = Array(state.lines.prefix(500))
      state.lines.removeFirst(batch.count)
      guard state.lines.isEmpty, !state.dropped.isEmpty else { return batch }
      let lost = state.dropped.map { app, count in
        RouterLogLine(app: app, at: .now, text: "at=error code=L10 desc=\"Log lines dropped\" count=\(count)")
      }
      state.dropped = [:]
      return batch + lost
    }
  }

  /// Lines that could not be sent, back at the front.
  func putBack(_ lines: [RouterLogLine]) {
    state.withLock { state in
      let room = max(0, limit - state.lines.count)
      for line in lines.dropFirst(room) { state.dropped[line.app, default: 0] += 1 }
      state.lines.insert(contentsOf: lines.prefix(room), at: 0)
    }
  }
}
