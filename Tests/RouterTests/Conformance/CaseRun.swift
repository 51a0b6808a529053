import Glibc
import Synchronization

/// An instance that keeps what it got and answers `/next` with `next`, everything else with the case's reply.
final class CaseBackend: Sendable {
  struct State {
    var whole: [WireMessage] = []
    /// In words: a request that broke off, or that is not HTTP.
    var broken: [String] = []
    var open = 0
  }

  let backend: TestBackend
  /// The client has what was answered before a reset: an instance's bytes must not be lost behind it.
  let mayReset = Latch()
  private let state: RecordedState

  final class RecordedState: Sendable {
    let mutex = Mutex(State())
  }

  init(_ wireCase: WireCase) throws {
    let state = RecordedState()
    self.state = state
    let mayReset = mayReset
    backend = try TestBackend { line, _ in
      state.mutex.withLock { $0.open += 1 }
      defer { state.mutex.withLock { $0.open -= 1 } }
      let reader = WireReader(line.descriptor, patience: 120)
      do {
        while let request = try reader.request() {
          state.mutex.withLock { $0.whole.append(request) }
          if request.target == "/next" {
            try line.write(ok("next"))
            continue
          }
          try line.write(latin1Bytes(wireCase.reply))
          switch wireCase.ending {
          case .stays: continue
          case .closes: return
          case .resets:
            if !wireCase.reply.isEmpty { mayReset.wait() }
            return line.reset()
          }
        }
      } catch {
        state.mutex.withLock { $0.broken.append("\(error)") }
        throw error
      }
    }
  }

  var seen: State { state.mutex.withLock { $0 } }

  /// What it saw once every connection to it has ended, or after two minutes.
  func settled() -> State {
    happens { seen.open == 0 }
    return seen
  }
}

/// Plays one case and says what was wrong.
struct CaseRun {
  let wireCase: WireCase
  let host: String
  let backend: CaseBackend

  init(_ wireCase: WireCase, host: String, _ backend: CaseBackend) {
    self.wireCase = wireCase
    self.host = host
    self.backend = backend
  }

  func run(port: Int) -> [String] {
    do {
      let line = try Line.connect(port: port)
      let next = wireCase.halfCloses ? "" : "GET /next HTTP/1.1\r\nHost: {host}\r\n\r\n"
      let text = (wireCase.request + next).replacing("{H}", with: "Host: {host}\r\n").replacing("{host}", with: host)
        .replacing("{HOST}", with: host.uppercased())
      // What the router has refused already may not be taken any more; its answer is still read.
      try? line.write(latin1Bytes(text))
      if wireCase.halfCloses { line.endOutput() }
      if wireCase.ending == .resets, !wireCase.reply.isEmpty {
        line.arrival(of: String(wireCase.reply.suffix(4)))
        backend.mayReset.open()
      }
      let reader = WireReader(line.descriptor)
      return try answer(reader) + sent()
    } catch {
      return ["client: \(error)"] + sent()
    }
  }

  /// The final answer after its interim ones, and what comes behind it.
  private func answer(_ reader: WireReader) throws -> [String] {
    var interim: [Int] = []
    var answer = WireMessage()
    while answer.status < 200 {
      do {
        guard let next = try reader.response(toHead: wireCase.request.hasPrefix("HEAD ")) else {
          return wireCase.statuses.contains(0) ? [] : ["the connection ended without an answer"]
        }
        answer = next
      } catch {
        guard let partial = error.partial else { throw error }
        if wireCase.statuses.contains(0), partial.startLine.isEmpty { return [] }
        return partial.startLine.isEmpty || !isCut ? ["the answer broke off: \(partial)"] : status(partial)
      }
      if answer.status < 200 { interim.append(answer.status) }
    }
    var faults = status(answer) + wireCase.answer.faults(answer, host: host).map { "answer: \($0)" }
    if let wanted = wireCase.interim, wanted != interim { faults.append("interim \(interim), not \(wanted)") }
    return try faults + behind(reader, answer)
  }

  private var isCut: Bool { if case .cut = wireCase.then { true } else { false } }

  private func status(_ answer: WireMessage) -> [String] {
    wireCase.statuses.contains(answer.status) ? [] : ["status \(answer.status), not \(wireCase.statuses)"]
  }

  private func behind(_ reader: WireReader, _ answer: WireMessage) throws -> [String] {
    switch wireCase.then {
    case .cut: return ["the answer looks whole: '\(answer.text)'"]
    case .goesOn:
      guard !wireCase.halfCloses else { return [] }
      guard let next = try reader.response() else { return ["the connection ended before the second request"] }
      return next.status == 200 && next.text == "next" ? [] : ["second answer: \(next.startLine) '\(next.text)'"]
    case .closes:
      let rest = latin1(try reader.rest())
      var faults = rest.isEmpty ? [] : ["behind the answer: '\(rest)'"]
      if !wireCase.halfCloses, !answer.values("connection").contains(where: { $0.lowercased() == "close" }) {
        faults.append("closes without Connection: close")
      }
      return faults
    case .either:
      do {
        guard let next = try reader.response() else { return [] }
        return next.status == 200 && next.text == "next" ? [] : ["second answer: \(next.startLine) '\(next.text)'"]
      } catch {
        guard error.isReset else { throw error }
        return []
      }
    }
  }

  private func sent() -> [String] {
    let seen = isNoWhole ? backend.settled() : backend.seen
    let first = seen.whole.filter { $0.target != "/next" }
    var faults = seen.whole.count - first.count > 1 ? ["the second request came twice"] : []
    if case .closes = wireCase.then, seen.whole.count > first.count { faults.append("the second request was sent on") }
    switch wireCase.sent {
    case .nothing:
      if !first.isEmpty || !seen.broken.isEmpty { faults.append("sent on: \(first.map(\.head)) \(seen.broken)") }
    case .noWhole:
      if !first.isEmpty { faults.append("sent on whole: \(first.map(\.head)) '\(first.map(\.text))'") }
      if seen.open > 0 { faults.append("the instance still waits for the rest") }
    case .anything: break
    case .one(let looks):
      if first.count != 1 { faults.append("the instance got \(first.count) requests \(seen.broken)") }
      if let request = first.first { faults += looks.faults(request, host: host).map { "sent: \($0)" } }
    }
    return faults
  }

  private var isNoWhole: Bool { if case .noWhole = wireCase.sent { true } else { false } }
}
